from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainers.report.synthetic_runs import write_run
from trainers.evaluation.source import LEVELS, source_of, source_thresholds
from trainers.run import open_run


def test_the_temperature_lowers_the_error_of_the_source_it_was_fitted_on(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run", groups=200))
    source = source_of(run)
    for level in LEVELS:
        before, after = source.errors[level]
        # The synthetic model's logits are noise of its own: its probabilities are not those of the truth.
        assert after < before
    assert source.as_dict()["clip"]["temperature"] == source.temperatures["clip"]
    assert source.thresholds == source_thresholds(run)


def test_clips_by_another_rule_have_another_threshold_and_frames_the_same(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run"))
    mean, highest = source_thresholds(run), source_thresholds(run, "max")
    assert mean["frame"] == highest["frame"]
    assert highest["clip"] > mean["clip"]


def test_without_validation_predictions_nothing_is_given(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run"))
    (run.path / "predictions" / "ff++-val.parquet").unlink()
    assert source_of(run).as_dict() == {
        level: pytest.approx({"threshold": None, "temperature": None, "ece": None, "ece_scaled": None})
        for level in LEVELS
    }
