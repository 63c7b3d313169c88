"""The measurement of trainings that share a device, at its smallest."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.gpu.record import Record
from benchmarks.gpu.sharing import add_row, found_in, pays_up_to
from benchmarks.gpu.training import Case, config_of
from tests.trainers.tiny_store import write_store


def test_two_trainings_run_at_once_on_one_store_and_both_are_counted(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", clips={"train": 4})
    record = Record("sharing", "cpu", {})
    add_row(record, config_of(Case(model="test_resnet"), str(store), batch=4, device="cpu", size=32), 2, seconds=0.2)
    assert not record.not_measured
    (row,) = record.rows
    assert row["trainings"] == 2
    assert len(row["images_per_s_of_each"]) == 2
    assert 0 < row["least_images_per_s"] == min(row["images_per_s_of_each"])
    assert row["images_per_s"] == sum(row["images_per_s_of_each"])
    assert 0 <= row["most_input_wait"] <= 1


def test_a_row_that_fails_is_recorded_with_its_reason(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", clips={"train": 4})
    record = Record("sharing", "cpu", {})
    add_row(record, config_of(Case(model="no_net"), str(store), batch=4, device="cpu"), 1, seconds=0.5)
    assert not record.rows
    assert "unknown model 'no_net'" in record.not_measured[0]["why"]


@pytest.mark.parametrize(
    ("totals", "most"),
    [
        ({1: 100.0, 2: 105.0, 4: 200.0}, 1),
        ({1: 100.0, 2: 150.0, 4: 179.0, 8: 900.0}, 2),
        ({1: 100.0, 2: 150.0, 4: 181.0, 8: 254.0}, 8),
        ({1: 100.0}, 1),
    ],
)
def test_sharing_pays_as_long_as_each_further_training_adds_a_tenth(totals: dict[int, float], most: int) -> None:
    assert pays_up_to(totals) == most


def test_a_trials_part_follows_from_the_model_that_sharing_pays_least_for() -> None:
    rows = [
        {"model": model, "trainings": trainings, "images_per_s": total}
        for model, totals in {"small": (100, 180, 300), "large": (100, 130, 140), "cut off": (9, 18)}.items()
        for trainings, total in zip((1, 2, 4), totals, strict=False)
    ]
    assert found_in(rows) == {"sharing_pays_up_to": {"small": 4, "large": 2}, "gpus_per_trial": 0.5}
    assert found_in([]) == {"sharing_pays_up_to": {}, "gpus_per_trial": None}
