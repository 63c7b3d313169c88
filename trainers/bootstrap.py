"""Intervals of a metric by resampling identity groups: frames and clips of one person are not independent."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataengine.errors import unknown_name
from trainers.metrics import Scored, crossing, metrics_of, score, scored
from trainers.taxonomy import Taxonomy

MIN_GROUPS = 10
"""Fewer resampled groups say too little about the spread: no interval is given."""

MAX_UNDEFINED = 0.05
"""Share of draws that may leave a metric undefined: of more, as where few groups hold reals, the rest are no sample of
what could have been.
"""

Floats = npt.NDArray[np.float64]

_BLOCK = 2_000_000
"""Weights held at once where the metric needs one a row: bounds the memory, not the result."""


def interval(
    predictions: pa.Table,
    taxonomy: Taxonomy,
    metric: str,
    *,
    threshold: float | None,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """The 95 % bootstrap interval of one of `metrics_of(task)`, in [0, 1]; pure in its arguments.

    None where the metric is undefined, in itself or in too many draws (MAX_UNDEFINED), or fewer than MIN_GROUPS groups
    enter it. It holds for one training: how
    much trainings differ is the spread over seeds.
    """
    values = resampled(predictions, taxonomy, metric, threshold=threshold, resamples=resamples, seed=seed)
    estimate = score(predictions, taxonomy, threshold=threshold)[metric]
    return None if estimate is None or values is None else percentiles(values, estimate)


def percentiles(values: Floats, estimate: float) -> tuple[float, float] | None:
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
    resamples: int = 1000,
    seed: int = 0,
) -> Floats | None:
    """A metric over `resamples` draws, with replacement, of the groups that enter it: shape (resamples,).

    nan where a draw leaves it undefined; None below MIN_GROUPS groups or where the metric needs a threshold
    that isn't there. Two models' predictions of the same rows see the same draws, so that their values pair
    up. Source: percentile bootstrap, Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    if metric not in metrics_of(taxonomy.task):
        raise unknown_name("metric", metric, metrics_of(taxonomy.task))
    rows = scored(predictions, taxonomy)
    enters = rows.seen if metric.startswith("attribution") else np.ones(len(rows.labels), bool)
    names, groups = np.unique(rows.groups[enters], return_inverse=True)
    num = len(names)
    if num < MIN_GROUPS:
        return None
    draws = np.random.default_rng(seed).multinomial(num, np.full(num, 1 / num), size=resamples)
    weights = draws.astype(np.float64)
    if metric in ("detection_auc", "detection_eer"):
        return _ranked(metric, rows, groups, weights)
    if metric.startswith("attribution"):
        return _counted(metric, rows.truth[enters], rows.predicted[enters], groups, weights)
    if threshold is None:
        return None
    called = (rows.p_fake >= threshold).astype(np.int64)
    return _counted(metric, rows.labels, called, groups, weights)


def _counted(
    metric: str,
    truth: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    weights: Floats,
) -> Floats:
    """Functions of the confusion matrix: (resamples, groups) weights times each group's own matrix."""
    k = int(max(truth.max(), predicted.max())) + 1
    num = weights.shape[1]
    each = np.bincount((groups * k + truth) * k + predicted, minlength=num * k * k).reshape(num, k * k)
    matrix = (weights @ each).reshape(-1, k, k)
    right = np.diagonal(matrix, axis1=1, axis2=2)
    actual, called = matrix.sum(axis=2), matrix.sum(axis=1)
    present = actual > 0
    if metric.endswith("macro_f1"):
        per_class = _share(2 * right, actual + called)
    elif metric.endswith("balanced_accuracy"):
        per_class = _share(right, actual)
    else:
        return _share(right.sum(axis=1), actual.sum(axis=1))
    mean = _share(np.where(present, per_class, 0.0).sum(axis=1), present.sum(axis=1).astype(np.float64))
    # As in `score`: recall of the one class there is says nothing.
    return np.where(present.sum(axis=1) >= 2, mean, np.nan)


def _ranked(metric: str, rows: Scored, groups: npt.NDArray[np.int64], weights: Floats) -> Floats:
    """AUC and EER from weighted cumulative sums down the scores, which are sorted once for every resample."""
    order = np.argsort(-rows.p_fake, kind="stable")
    scores, labels, groups = rows.p_fake[order], rows.labels[order], groups[order]
    starts = np.flatnonzero(np.r_[True, np.diff(scores) != 0])
    values = np.empty(len(weights))
    for block in _blocks(len(weights), len(scores)):
        weight = weights[block][:, groups]
        fakes = np.add.reduceat(weight * labels, starts, axis=1)
        reals = np.add.reduceat(weight, starts, axis=1) - fakes
        tpr, fpr = _rates(fakes), _rates(reals)
        if metric == "detection_auc":
            values[block] = (np.diff(fpr) * (tpr[:, 1:] + tpr[:, :-1]) / 2).sum(axis=1)
        else:
            defined = ~np.isnan(tpr[:, -1] + fpr[:, -1])
            values[block] = np.where(defined, crossing(fpr, 1.0 - tpr), np.nan)
    return values


def _rates(weight: Floats) -> Floats:
    """(R, U) weights at falling scores -> (R, U + 1) share of them above each; nan where a resample has
    none.
    """
    total = np.cumsum(weight, axis=1)
    rates = _share(total, total[:, -1:])
    return np.concatenate([np.where(np.isnan(rates[:, :1]), np.nan, 0.0), rates], axis=1)


def _share(part: Floats, whole: Floats) -> Floats:
    whole = np.broadcast_to(whole, part.shape)
    share: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return share


def _blocks(resamples: int, rows: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(1, rows))
    for start in range(0, resamples, step):
        yield slice(start, start + step)
