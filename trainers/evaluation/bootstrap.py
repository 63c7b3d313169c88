"""Intervals of a metric by resampling identity groups: frames and clips of one person are not independent.

Source: percentile bootstrap, Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dataengine.errors import StateError, unknown_name
from trainers.metrics import LOWER_IS_BETTER, Scored, measured, metrics_of, scored
from trainers.metrics.rows import Floats, Ints
from trainers.taxonomy import Taxonomy

MIN_GROUPS = 10
"""Fewer resampled groups say too little about the spread: no interval is given."""

MAX_UNDEFINED = 0.05
"""Share of draws that may leave a metric undefined: of more, as where few groups hold reals, the rest are no sample of
what could have been.
"""

_DRAWN = 10_000_000
"""Counts of groups held at once: bounds the memory where every image is a group of its own, not the result."""

Interval = tuple[float, float]


def interval(
    predictions: pa.Table,
    taxonomy: Taxonomy,
    metric: str,
    *,
    threshold: float | None,
    temperature: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval | None:
    """The 95 % bootstrap interval of one of `metrics_of(task)`, in [0, 1]; pure in its arguments.

    None where the metric is undefined, in itself or in too many draws (MAX_UNDEFINED), or fewer than MIN_GROUPS groups
    enter it. It holds for one training, and for the threshold and temperature that are given: how much trainings
    differ is the spread over seeds.
    """
    _check_known(metric, taxonomy)
    rows = scored(predictions, taxonomy, threshold=threshold, temperature=temperature)
    return intervals(rows, [metric], resamples=resamples, seed=seed)[metric]


def intervals(
    rows: Scored, metrics: Sequence[str], *, resamples: int = 1000, seed: int = 0
) -> dict[str, Interval | None]:
    """The interval of each metric, as `interval` gives it, from one walk over the rows."""
    once = np.ones((1, len(rows.group_names)), dtype=np.int64)
    estimates = measured(rows, metrics, once)
    drawn = resample(rows, metrics, resamples=resamples, seed=seed)
    return {
        name: None if values is None or np.isnan(estimates[name][0]) else percentiles(values, float(estimates[name][0]))
        for name, values in drawn.items()
    }


def percentiles(values: Floats, estimate: float) -> Interval | None:
    """2.5th and 97.5th percentile of resampled values; None where more than MAX_UNDEFINED of them are nan.

    Widened to hold the estimate itself where resampling is biased away from it, as with a near-perfect AUC.
    """
    undefined = np.isnan(values)
    if undefined.mean() > MAX_UNDEFINED:
        return None
    low, high = np.percentile(values[~undefined], [2.5, 97.5])
    return float(min(low, estimate)), float(max(high, estimate))


def resampled(
    predictions: pa.Table,
    taxonomy: Taxonomy,
    metric: str,
    *,
    threshold: float | None,
    temperature: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Floats | None:
    """A metric over `resamples` draws, with replacement, of the groups that enter it: shape (resamples,).

    nan where a draw leaves it undefined, or it needs a threshold or temperature that isn't there; None below MIN_GROUPS
    groups. Two models' predictions of the same rows see the same draws, so that their values pair up.
    """
    _check_known(metric, taxonomy)
    rows = scored(predictions, taxonomy, threshold=threshold, temperature=temperature)
    return resample(rows, [metric], resamples=resamples, seed=seed)[metric]


def resample(rows: Scored, metrics: Sequence[str], *, resamples: int = 1000, seed: int = 0) -> dict[str, Floats | None]:
    """`resampled` for several metrics from one walk over the rows."""
    found: dict[str, Floats | None] = dict.fromkeys(metrics)
    for task, enters in (("detection", np.ones(len(rows.labels), dtype=bool)), ("attribution", rows.seen)):
        names = [name for name in metrics if name.startswith(task)]
        groups = np.unique(rows.groups[enters])
        if not names or len(groups) < MIN_GROUPS:
            continue
        parts = []
        for drawn in draws(len(groups), resamples, seed):
            weights = np.zeros((len(drawn), len(rows.group_names)), dtype=np.int64)
            weights[:, groups] = drawn
            parts.append(measured(rows, names, weights))
        found |= {name: np.concatenate([part[name] for part in parts]) for name in names}
    return found


def draws(num: int, resamples: int, seed: int) -> Iterator[Ints]:
    """How often each of `num` groups is drawn in each resample: blocks (r, num) of `resamples` lines in all, each line
    summing to `num`.
    """
    generator, shares = np.random.default_rng(seed), np.full(num, 1 / num)
    step = max(1, _DRAWN // num)
    for start in range(0, resamples, step):
        yield generator.multinomial(num, shares, size=min(step, resamples - start))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How one model's value of a metric stands to another's on the same rows."""

    first: float | None
    second: float | None
    difference: float | None
    """`first - second`; None where either is undefined."""
    interval: Interval | None
    """95 % bootstrap interval of the difference; None by the rules of `interval`."""
    not_better: float | None
    """Share of draws in which the first is not better than the second, an equal value being no better; for an error,
    lower is better. None where there is no interval.
    """


def compare(
    first: Scored, second: Scored, metrics: Sequence[str], *, resamples: int = 1000, seed: int = 0
) -> dict[str, Difference]:
    """Two models on the same rows, each metric: every draw of identity groups is scored for both, so that what makes a
    draw easy or hard for both falls out of their difference.

    Raises StateError where the two tables do not hold the same labels, methods and groups row by row.
    """
    if not (
        (first.method_names, first.group_names) == (second.method_names, second.group_names)
        and np.array_equal(first.methods, second.methods)
        and np.array_equal(first.groups, second.groups)
        and np.array_equal(first.labels, second.labels)
    ):
        raise StateError("the two tables hold different rows; compare predictions of the same samples")
    once = np.ones((1, len(first.group_names)), dtype=np.int64)
    ones, others = (measured(rows, metrics, once) for rows in (first, second))
    drawn, others_drawn = (resample(rows, metrics, resamples=resamples, seed=seed) for rows in (first, second))
    return {
        name: _difference(name, float(ones[name][0]), float(others[name][0]), drawn[name], others_drawn[name])
        for name in metrics
    }


def _difference(name: str, one: float, other: float, ones: Floats | None, others: Floats | None) -> Difference:
    gap = one - other
    span = share = None
    if ones is not None and others is not None and not np.isnan(gap):
        gaps = ones - others
        span = percentiles(gaps, gap)
        if span is not None:
            ahead = -gaps if name in LOWER_IS_BETTER else gaps
            share = float((ahead[~np.isnan(ahead)] <= 0).mean())
    first, second, difference = (None if np.isnan(value) else value for value in (one, other, gap))
    return Difference(first=first, second=second, difference=difference, interval=span, not_better=share)


def _check_known(metric: str, taxonomy: Taxonomy) -> None:
    if metric not in metrics_of(taxonomy.task):
        raise unknown_name("metric", metric, metrics_of(taxonomy.task))
