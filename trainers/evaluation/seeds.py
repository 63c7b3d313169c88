"""How much trainings that differ in their seed alone differ in their results: the spread beside the interval.

An interval says what other people in the test set would change, for one training; the spread says what another training
would. Neither holds the other.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataengine.errors import DfxError
from trainers.metrics import metrics_of

SAME = ("ref", "split", "fingerprint", "task", "classes", "unseen_people")
"""What results must share to be repetitions of one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One metric over trainings with different seeds, in the metric's unit."""

    metric: str
    values: tuple[float, ...]
    """Of each training, in the order given; empty where any has none."""
    mean: float | None
    std: float | None
    """Standard deviation of a sample (n - 1); None for a single training."""
    least: float | None
    most: float | None
    interval: tuple[float, float] | None
    """The 95 % bootstrap interval of one training, its ends averaged over them; None where any has none."""


def spreads(results: Sequence[Mapping[str, Any]], *, level: str = "clip") -> tuple[Spread, ...]:
    """A Spread for each metric of the task, of results of `evaluate.evaluate` on one store, one a training.

    `level` is "clip" or "frame". A metric that any training leaves undefined is undefined. Raises DfxError without
    results, or where two are not of the same rows and classes.
    """
    if not results:
        raise DfxError("a spread over seeds needs the results of at least one training")
    for result in results:
        for name in SAME:
            if result[name] != results[0][name]:
                raise DfxError(
                    f"{results[0]['run']} and {result['run']} are no repetitions: their {name} is "
                    f"{results[0][name]} and {result[name]}; give runs that differ in their seed alone"
                )
    return tuple(spread(metric, results, level) for metric in metrics_of(results[0]["task"]))


def spread(metric: str, results: Sequence[Mapping[str, Any]], level: str) -> Spread:
    """One metric over results that hold `[level][metric]` and `["intervals"][level][metric]`."""
    values = [result[level][metric] for result in results]
    if any(value is None for value in values):
        return Spread(metric=metric, values=(), mean=None, std=None, least=None, most=None, interval=None)
    intervals = [result["intervals"][level][metric] for result in results]
    interval = None
    if all(ends is not None for ends in intervals):
        low, high = (statistics.fmean(ends[side] for ends in intervals) for side in (0, 1))
        interval = (low, high)
    return Spread(
        metric=metric,
        values=tuple(values),
        mean=statistics.fmean(values),
        std=statistics.stdev(values) if len(values) > 1 else None,
        least=min(values),
        most=max(values),
        interval=interval,
    )


COLUMNS = ("", "mean", "std", "min", "max", "95 % of one training")


def table(found: Sequence[Spread], names: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Rows under COLUMNS for the terminal, a metric each; `names` says what metrics are called."""
    return [
        (
            names.get(spread.metric, spread.metric),
            "undefined" if spread.mean is None else f"{spread.mean:.3f}",
            *("" if x is None else f"{x:.3f}" for x in (spread.std, spread.least, spread.most)),
            "" if spread.interval is None else f"{spread.interval[0]:.3f}-{spread.interval[1]:.3f}",
        )
        for spread in found
    ]
