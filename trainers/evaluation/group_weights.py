"""Counts under many draws of identity groups at once: what intervals of ranked and of counted figures need.

A draw gives each group a weight, how often it was drawn. A figure that is a function of sums over rows then needs each
group's own sums once; those of every draw follow by one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LEVELS = 4096
"""Different scores that are told apart under draws; past it, neighbours in rank count as tied. A level then holds at
most 1/2048 of either kind of rows beside one score's own, so that a rate moves by less than 0.0005, far below any
interval's width. Estimates themselves are exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """R draws, with replacement, of G identity groups."""

    names: npt.NDArray[Any]
    """The groups, names or numbers, sorted, shape (G,)."""
    weights: Floats
    """How often each draw holds each group, shape (R, G)."""

    def place(self, groups: npt.NDArray[Any]) -> Ints:
        """The place of each row's group among `names`, where every one must be."""
        return np.searchsorted(self.names, groups).astype(np.int64)


def draw_groups(groups: npt.NDArray[Any], *, resamples: int, seed: int) -> Draws:
    """Draws of the different ones among `groups`: the same for the same set of them and seed, whatever their order.

    They are those of `bootstrap`. Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    names = np.unique(groups)
    num = len(names)
    drawn = np.random.default_rng(seed).multinomial(num, np.full(num, 1 / num), size=resamples)
    return Draws(names=names, weights=drawn.astype(np.float64))


_GROUPS = 2048  # whose counts are held at once

ONCE = np.ones((1, 1))
"""The weights of one draw that holds everything, all rows being of one group."""


def levels_of(scores: Floats) -> tuple[Ints, int]:
    """The rank of each score among the different ones, rising, shape (n,), and the number of ranks."""
    values, level = np.unique(scores, return_inverse=True)
    return level.astype(np.int64), len(values)


def joined_levels(scores: Floats, kind: Bools, most: int = LEVELS) -> tuple[Ints, int]:
    """`levels_of` with neighbours joined into at most `most` ranks; scores that are equal stay together.

    `kind` (n,) tells two kinds of rows apart, of which the rarer one is not to be lumped together: each has half of the
    weight by which ranks are cut.
    """
    level, num = levels_of(scores)
    if num <= most:
        return level, num
    weight = np.where(kind, 1 / max(1, kind.sum()), 1 / max(1, (~kind).sum()))
    mass = np.bincount(level, weight)
    before = (np.cumsum(mass) - mass) / mass.sum()
    cut = np.clip(np.floor(before * most), 0, most - 1)
    joined = np.unique(cut, return_inverse=True)[1]
    return joined[level].astype(np.int64), int(joined.max()) + 1


def cumulated(levels: Ints, num_levels: int, place: Ints, weights: Floats, rows: Bools) -> Floats:
    """The weight of `rows` at or below each level: shape (R, num_levels + 1), beginning with 0.

    `levels` and `place` (n,) from `levels_of` and `Draws.place`; `weights` (R, G); `rows` (n,) says which of the rows
    count.
    """
    num = weights.shape[1]
    sums = np.zeros((len(weights), num_levels + 1))
    for start in range(0, num, _GROUPS):  # a table of all groups by all levels may not fit the memory
        stop = min(start + _GROUPS, num)
        here = rows & (place >= start) & (place < stop)
        cells = np.bincount((place[here] - start) * num_levels + levels[here], minlength=(stop - start) * num_levels)
        sums[:, 1:] += weights[:, start:stop] @ cells.reshape(stop - start, num_levels)
    np.cumsum(sums[:, 1:], axis=1, out=sums[:, 1:])
    return sums


def share(part: Floats, whole: Floats) -> Floats:
    """part / whole, nan where the whole is 0; broadcast to the part's shape."""
    whole = np.broadcast_to(whole, part.shape)
    result: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return result


def area(x: Floats, y: Floats) -> Floats:
    """Below the polylines through the points (x, y), a row each: (R, P), (R, P) -> (R,)."""
    below: Floats = (np.diff(x) * (y[:, 1:] + y[:, :-1]) / 2).sum(axis=1)
    return below
