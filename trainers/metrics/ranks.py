"""Metrics of the order of rows: AUC, equal error rate, average precision, recall at a false-positive rate.

All of them, for every resample, in one walk down the scores, which are sorted once. A resample only changes how often
each row counts, and a row counts as often as its group, so that rows of one group, label and score are first made one
entry. Nothing is binned: the results are those of the rows written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainers.metrics.names import RANK_METRICS, REALS_AT_FPR
from trainers.metrics.rows import Floats, Ints

_BLOCK = 200_000
"""Weights held at once: what a processor's cache holds, so that each pass over a block is fast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The rows of one label in order of falling score, those of one group with one score as one entry; arrays (E,)."""

    groups: Ints
    rows: Ints
    """Number of rows in the entry."""
    place: Ints
    """Number of different scores, of either label, that are above the entry's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Rows in order of falling score."""

    fakes: Side
    reals: Side
    num: int
    """Different scores, of either label."""


def ranking(scores: Floats, labels: Ints, groups: Ints) -> Ranking:
    """Sort rows, all arrays of shape (n,), n > 0, into entries."""
    order = np.argsort(-scores, kind="stable")
    scores, labels, groups = scores[order], labels[order], groups[order]
    place = np.cumsum(np.r_[False, scores[1:] != scores[:-1]])
    sides = (_side(place[labels == label], groups[labels == label]) for label in (1, 0))
    return Ranking(fakes=next(sides), reals=next(sides), num=int(place[-1]) + 1)


def _side(place: Ints, groups: Ints) -> Side:
    num_groups = int(groups.max(initial=0)) + 1
    entries, rows = np.unique(place * num_groups + groups, return_counts=True)
    return Side(groups=entries % num_groups, rows=rows, place=entries // num_groups)


def rank_metrics(ranking: Ranking, weights: Ints) -> dict[str, Floats]:
    """`RANK_METRICS` of rows that count `weights[r, group]` times, whole numbers: (R, G) -> (R,) each.

    nan in a resample that holds one label only. AUC counts a tie as half (Mann and Whitney 1947). EER is where the
    false-positive and the false-negative rate meet, linear between the points of the ROC curve. Average precision is
    the sum over thresholds of the step in recall times the precision there, without interpolation. TPR at FPR is the
    largest recall at any threshold whose false-positive rate is at most that: nan with fewer than 1 / FPR reals.
    """
    count = np.ascontiguousarray(weights.T, dtype=np.float64)
    fakes, reals, num = ranking.fakes, ranking.reals, len(weights)
    all_fakes, all_reals = (np.bincount(s.groups, s.rows, len(count)) @ count for s in (fakes, reals))
    lost, precision, tp, fp = np.zeros((4, num))
    equal = _Crossing(all_fakes, all_reals)
    limited = {name: _Limit(np.floor(all_reals / least), all_reals >= least) for name, least in REALS_AT_FPR.items()}
    for first, stop in _blocks(ranking, max(1, _BLOCK // num)):
        fake, real = (slice(*np.searchsorted(s.place, (first, stop))) for s in (fakes, reals))
        drawn, above = _counts(fakes, fake, count, tp)
        _, below = _counts(reals, real, count, fp)
        mine, theirs = fakes.place[fake], reals.place[real]
        # At a fake's own score: the reals down to it, less half of those that tie with it.
        down = np.searchsorted(theirs, mine, side="right")
        before = np.searchsorted(theirs, mine, side="left")
        called = below[down]
        lost += np.einsum("ij,ij->j", drawn, called)
        if not np.array_equal(down, before):
            lost -= 0.5 * np.einsum("ij,ij->j", drawn, called - below[before])
        last = np.searchsorted(mine, mine, side="right")
        found = above[1:] if np.array_equal(last, np.arange(1, len(mine) + 1)) else above[last]
        called += found
        if not (tp + fp).all():
            np.maximum(called, 1.0, out=called)  # nothing is drawn yet: 0 / 1
        np.divide(found, called, out=called)
        precision += np.einsum("ij,ij->j", drawn, called)
        places = np.arange(first, stop)
        curve = _Curve(above, below, *(np.searchsorted(p, places, side="right") for p in (mine, theirs)))
        equal.see(curve)
        for limit in limited.values():
            limit.see(curve)
        tp, fp = above[-1], below[-1]
    both = (all_fakes > 0) & (all_reals > 0)
    found_all = {
        "detection_auc": 1.0 - lost / np.where(both, all_fakes * all_reals, 1.0),
        "detection_eer": equal.height,
        "detection_ap": precision / np.maximum(all_fakes, 1.0),
        **{name: limit.hits / np.maximum(all_fakes, 1.0) for name, limit in limited.items()},
    }
    defined = {name: both & limited[name].resolved if name in limited else both for name in RANK_METRICS}
    return {name: np.where(defined[name], found_all[name], np.nan) for name in RANK_METRICS}


def _blocks(ranking: Ranking, entries: int) -> Iterator[tuple[int, int]]:
    """Places [first, stop) that hold about so many entries each."""
    places = np.sort(np.concatenate([ranking.fakes.place, ranking.reals.place]), kind="stable")
    cuts = np.unique(np.r_[places[::entries], ranking.num])
    yield from zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)


def _counts(side: Side, entries: slice, count: Floats, before: Floats) -> tuple[Floats, Floats]:
    """How often each of E entries counts (E, R), and how often those down to each do, with none first (E + 1, R)."""
    groups, rows = side.groups[entries], side.rows[entries]
    drawn = np.empty((len(groups) + 1, count.shape[1]))
    drawn[0] = before
    np.take(count, groups, axis=0, out=drawn[1:], mode="clip")
    if (rows > 1).any():
        drawn[1:] *= rows[:, None]
    return drawn[1:], np.cumsum(drawn, axis=0)


class _Curve:
    """A block of the ROC curve, as counts: the point before it, then one after each of its U scores."""

    def __init__(self, above: Floats, below: Floats, fakes: Ints, reals: Ints) -> None:
        self.above, self.below = above, below
        self.rows = np.r_[0, fakes], np.r_[0, reals]

    def points(self, columns: Ints) -> tuple[Floats, Floats]:
        """Fakes and reals called fake, (U + 1, len(columns)) each."""
        return self.above[np.ix_(self.rows[0], columns)], self.below[np.ix_(self.rows[1], columns)]


class _Crossing:
    """Where the false-positive rate, rising down the scores, meets the false-negative rate, falling."""

    def __init__(self, all_fakes: Floats, all_reals: Floats) -> None:
        self.all_fakes, self.all_reals = np.maximum(all_fakes, 1.0), np.maximum(all_reals, 1.0)
        self.height = np.full(len(all_fakes), np.nan)

    def see(self, curve: _Curve) -> None:
        """Look at the next block."""
        end = curve.below[-1] / self.all_reals + curve.above[-1] / self.all_fakes
        where = np.flatnonzero(np.isnan(self.height) & (end >= 1.0))
        if len(where):
            tp, fp = curve.points(where)
            self.height[where] = crossing((fp / self.all_reals[where]).T, (1.0 - tp / self.all_fakes[where]).T)


class _Limit:
    """The fakes that are found before more reals than a limit are called fake."""

    def __init__(self, most: Floats, resolved: npt.NDArray[np.bool_]) -> None:
        self.most, self.resolved = most, resolved
        self.hits = np.zeros(len(most))
        self.open = np.ones(len(most), dtype=bool)

    def see(self, curve: _Curve) -> None:
        """Look at the next block."""
        within = curve.below[-1] <= self.most
        self.hits = np.where(self.open & within, curve.above[-1], self.hits)
        where = np.flatnonzero(self.open & ~within)
        if len(where):
            tp, fp = curve.points(where)
            last = (fp <= self.most[where]).sum(axis=0) - 1
            self.hits[where] = tp[last, np.arange(len(where))]
        self.open &= within


def crossing(rising: Floats, falling: Floats) -> Floats:
    """The height at which two polylines over the same points cross, a row each: (R, P), (R, P) -> (R,).

    `rising` starts below `falling` and ends above it, or touches it, so that they do cross.
    """
    gap = rising - falling
    # The ends of the curves, 1 and 0, can miss each other by a rounding.
    after = np.argmax(gap >= -1e-12, axis=1)
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(gap))
    high, low = gap[rows, after], gap[rows, before]
    share = np.divide(-low, high - low, out=np.zeros_like(high), where=high > low)
    crossed: Floats = rising[rows, before] + share * (rising[rows, after] - rising[rows, before])
    return crossed
