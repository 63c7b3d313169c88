from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dataengine.errors import StateError
from tests.trainers.report.synthetic_runs import CLASSES, predictions, write_run
from trainers.evaluation.stored import find_stored, stored_predictions


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def test_predictions_are_found_by_name_selection_and_split(run: Path) -> None:
    chosen = predictions(CLASSES, meta={"selection": "@method=deepfakes,real"})
    pq.write_table(chosen, run / "predictions" / "chosen.parquet")
    for ref, split, name in (
        ("anywhere/ff++", "test", "ff++-test"),
        ("ff++", "val", "ff++-val"),
        ("ff++@split=val", "test", "ff++-val"),
        ("ff++@method=real,deepfakes", "test", "chosen"),
        ("lab/", "test", "lab-test"),
    ):
        found = find_stored(run, ref, split)
        assert found is not None
        assert found.path.stem == name
    for ref, split in (("ff++", "train"), ("other", "test"), ("lab@method=real", "test")):
        assert find_stored(run, ref, split) is None


def test_two_stores_of_one_name_are_told_apart_by_how_they_were_written(run: Path) -> None:
    other = predictions(CLASSES, store="lab", meta={"ref": "elsewhere/lab@split=test"})
    pq.write_table(other, run / "predictions" / "other.parquet")
    found = find_stored(run, "elsewhere/lab", "test")
    assert found is not None
    assert found.path.stem == "other"
    with pytest.raises(StateError, match="several stores called lab; name one of shards/lab@split=test, elsewhere/lab"):
        find_stored(run, "lab", "test")


def test_a_damaged_file_is_named(run: Path) -> None:
    (run / "predictions" / "broken.parquet").write_bytes(b"junk")
    with pytest.raises(StateError, match=r"broken\.parquet holds no predictions"):
        stored_predictions(run)
