"""The policies that know neither shards nor classes: sequential and shuffled."""

from __future__ import annotations

import numpy as np

from dataengine.order.clips import Clips
from dataengine.order.hashing import Ints, Key
from dataengine.order.permutation import permute
from dataengine.order.source import AllRows, ClassSource, Items


class Plain:
    """All items once, in their order or permuted by the epoch's key."""

    def __init__(self, items: Items, *, shuffled: bool) -> None:
        self._items, self._shuffled = items, shuffled
        self.length = items.num_items

    def rows(self, positions: Ints, key: Key) -> Ints:
        """The rows at positions of the epoch of `key`."""
        items = permute(positions, self.length, key) if self._shuffled else positions
        return self._items.rows(items, key)


def items_in_order(rows: ClassSource, frames_per_clip: int | None) -> Items:
    """The items in the order of the rows, clips in that of their first row."""
    if frames_per_clip is None:
        return AllRows(len(rows))
    return Clips(rows, frames_per_clip, np.zeros_like, 1)
