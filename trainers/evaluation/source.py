"""What a run's source gives to every evaluation: thresholds and temperatures, from its own validation predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from trainers.evaluation.calibration import fit_temperature
from trainers.evaluation.predicted import validation_predictions
from trainers.metrics import Scored, clip_table, equal_error_threshold, measured, scored, source_threshold
from trainers.run import Run

LEVELS = ("frame", "clip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Of the source's validation predictions, by level ("frame", "clip"); None where they do not give it."""

    thresholds: Mapping[str, float | None]
    """p(fake) at the equal error rate."""
    temperatures: Mapping[str, float | None]
    """Temperature of the least negative log-likelihood."""
    errors: Mapping[str, tuple[float | None, float | None]]
    """Expected calibration error of the task's answers before and after the temperature, on these predictions."""

    def as_dict(self) -> dict[str, Any]:
        """JSON values with stable keys, by level."""
        return {
            level: {
                "threshold": self.thresholds[level],
                "temperature": self.temperatures[level],
                "ece": self.errors[level][0],
                "ece_scaled": self.errors[level][1],
            }
            for level in LEVELS
        }


def source_of(run: Run, clips: str = "mean") -> Source:
    """What the run's own validation predictions give, for frames and for clips by `clips` of `metrics.CLIPS`.

    They are the files that result.json names, which training left for the split `val` of its sources; without them
    everything is None, and what depends on it is undefined.
    """
    levels = _validation(run, clips)
    if levels is None:
        nothing = dict.fromkeys(LEVELS)
        return Source(thresholds=nothing, temperatures=nothing, errors=dict.fromkeys(LEVELS, (None, None)))
    thresholds: dict[str, float | None] = {}
    temperatures: dict[str, float | None] = {}
    errors: dict[str, tuple[float | None, float | None]] = {}
    for level, table in levels.items():
        rows = scored(table, run.taxonomy)
        thresholds[level] = equal_error_threshold(rows.labels, rows.p_fake)
        # Validation holds no method that training held none of (`taxonomy.check_validation`).
        temperatures[level] = fit_temperature(rows.p[rows.seen], rows.truth[rows.seen])
        errors[level] = _errors(scored(table, run.taxonomy, temperature=temperatures[level]), run.taxonomy.task)
    return Source(thresholds=thresholds, temperatures=temperatures, errors=errors)


def source_thresholds(run: Run, clips: str = "mean") -> dict[str, float | None]:
    """Equal-error thresholds, for frames and for clips, of the run's own validation predictions; None where they hold
    one label only, or are not there.
    """
    levels = _validation(run, clips)
    if levels is None:
        return dict.fromkeys(LEVELS)
    return {level: source_threshold(table, run.taxonomy) for level, table in levels.items()}


def _validation(run: Run, clips: str) -> dict[str, pa.Table] | None:
    frames = validation_predictions(run)
    return None if frames is None else {"frame": frames, "clip": clip_table(frames, clips)}


def _errors(rows: Scored, task: str) -> tuple[float | None, float | None]:
    names = (f"{task}_ece", f"{task}_ece_scaled")
    found = measured(rows, names, np.ones((1, len(rows.group_names)), dtype=np.int64))
    before, after = (float(found[name][0]) for name in names)
    return (None if np.isnan(before) else before, None if np.isnan(after) else after)
