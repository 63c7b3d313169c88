from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine.errors import StateError
from tests.trainers.report.synthetic_runs import CLASSES, METHODS, predictions, write_run
from trainers.evaluation.compare import compare_runs, same_rows
from trainers.evaluation.source import source_of
from trainers.metrics import score
from trainers.run import open_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("runs")
    return write_run(root / "strong", skill={"lab": 4.0}), write_run(root / "weak", skill={"lab": 0.5}, seed=1)


def test_each_side_is_scored_at_its_own_sources_threshold(runs: tuple[Path, Path]) -> None:
    found = compare_runs(*runs, "lab", resamples=20)
    for side, path in zip(("first", "second"), runs, strict=True):
        run = open_run(path)
        table, source = pq.read_table(path / "predictions" / "lab-test.parquet"), source_of(run)
        own = score(table, run.taxonomy, threshold=source.thresholds["frame"], temperature=source.temperatures["frame"])
        for metric, difference in found["frame"].items():
            assert difference[side] == pytest.approx(own[metric])
    assert found["clip"]["detection_auc"]["not_better"] == 0
    assert (found["store"], found["split"], found["groups"], found["unreadable"]) == ("lab", "test", 20, 0)
    assert json.loads(json.dumps(found)) is not None


def test_a_run_is_not_compared_with_itself(runs: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(runs[0])
    for other in (runs[0], tmp_path / "link"):
        with pytest.raises(StateError, match="are one run; name another"):
            compare_runs(runs[0], other, "lab", resamples=5)


def test_runs_of_other_classes_are_compared_as_detectors_alone(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", classes=("real", "fake"), skill={"lab": 2.0})
    table = predictions(("real", *METHODS), classes=("real", "fake"), store="lab")
    pq.write_table(table, other / "predictions" / "lab-test.parquet")
    found = compare_runs(runs[0], other, "lab", resamples=20)
    assert not found["same_classes"]
    assert not any(name.startswith("attribution") for name in found["clip"])


def test_the_order_of_rows_does_not_matter_and_unreadable_ones_are_left_out_for_both() -> None:
    one = predictions(CLASSES, groups=3, frames=2)
    valid = np.ones(len(one), bool)
    valid[[0, 5]] = False
    other = one.set_column(one.column_names.index("valid"), "valid", pa.array(valid))
    mixed = other.take(pa.array(np.random.default_rng(0).permutation(len(one))))
    (first, second), unreadable = same_rows(one, mixed, "a and b")
    assert unreadable == 2
    assert first.num_rows == len(one) - 2
    assert first["key"].equals(second["key"])


def test_predictions_of_other_rows_are_refused_in_one_line() -> None:
    one, other = predictions(CLASSES, groups=3), predictions(CLASSES, groups=4)
    with pytest.raises(StateError, match=r"^a and b hold .*different rows \(0 samples in the first alone, 24 in") as e:
        same_rows(one, other, "a and b")
    assert "\n" not in str(e.value)
    with pytest.raises(StateError, match="differ in the method of a sample"):
        same_rows(one, one.set_column(one.column_names.index("method"), "method", one["clip"]), "a and b")


def test_a_run_without_the_predictions_names_the_command_that_makes_them(runs: tuple[Path, Path]) -> None:
    with pytest.raises(StateError, match=r"strong holds no predictions of ff\+\+, .*`dfx eval .*strong --on ff\+\+"):
        compare_runs(*runs, "ff++")
