"""What stands in for a sample that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
import numpy.typing as npt

from dataengine.order import counter_hash

Ints = npt.NDArray[np.int64]

_DRAWS = 100  # from the class of the bad sample, before any other will do


class Replacements:
    """Draws samples of the same class, a function of (seed, epoch, position, attempt) like every other draw."""

    def __init__(self, labels: Ints, seed: int) -> None:
        self._labels, self._seed = labels, seed
        self._by_class: dict[int, Ints] = {}

    def of(self, row: int, epoch: int, position: int) -> Iterator[int]:
        """Rows to try in turn for the bad `row` at `position`: others of its class, and where so many of them are bad
        that a hundred draws found none, of any class; endless, so a budget must end it."""
        label = int(self._labels[row])
        if label not in self._by_class:
            self._by_class[label] = np.flatnonzero(self._labels == label)
        candidates = self._by_class[label]
        tried = {row}
        for attempt in count(1):
            drawn = int(counter_hash(self._seed, epoch, position, attempt))
            chosen = int(candidates[drawn % len(candidates)]) if attempt <= _DRAWS else drawn % len(self._labels)
            if chosen not in tried:
                tried.add(chosen)
                yield chosen
            elif len(tried) == len(self._labels):
                return
