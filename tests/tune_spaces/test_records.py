"""A trial's record, and the table of all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataengine.errors import StateError
from tune_spaces.records import Trial, read_trials, trials_table, write_trial

DONE = Trial(
    trial_id="ff++-000",
    source="ff++",
    stage="search",
    number=0,
    settings={"model": "resnet18", "loss": "ce", "lr": 0.1 + 0.2},
    seed=3,
    status="done",
    scores=(0.25, 0.75),
    seconds=1.5,
    targets={"celeb-df": {"detection_auc": 0.625, "attribution_balanced_accuracy": None}},
)
FAILED = Trial(
    trial_id="ff++-001",
    source="ff++",
    stage="search",
    number=1,
    settings={"model": "resnet18", "loss": "ce+supcon", "frames_per_clip": 4},
    seed=3,
    status="failed",
    error="the disk is full",
)


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    write_trial(tmp_path, FAILED)
    write_trial(tmp_path, DONE)
    assert read_trials(tmp_path) == [DONE, FAILED]


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "ff++-000.json").write_text('{"trial_id": "ff++-000"')
    with pytest.raises(StateError, match=r"ff\+\+-000.json"):
        read_trials(tmp_path)


def test_the_table_has_a_row_a_trial_and_null_where_nothing_was_measured() -> None:
    table = trials_table([DONE, FAILED])
    assert table.column_names == [
        "trial_id",
        "source",
        "stage",
        "model",
        "loss",
        "seed",
        "status",
        "score",
        "epochs",
        "seconds",
        "run",
        "config",
        "error",
        "target/celeb-df/attribution_balanced_accuracy",
        "target/celeb-df/detection_auc",
    ]
    done, failed = table.to_pylist()
    assert (done["score"], done["epochs"], done["run"]) == (0.75, 2, "runs/ff++-000")
    assert json.loads(done["config"]) == DONE.settings
    assert done["target/celeb-df/detection_auc"] == 0.625
    assert failed["score"] is None
    assert failed["error"] == "the disk is full"
    assert failed["target/celeb-df/detection_auc"] is None
