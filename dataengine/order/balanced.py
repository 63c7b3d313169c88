"""Each class once in every run of as many positions as there are classes: `balanced`."""

from __future__ import annotations

import numpy as np

from dataengine.order.hashing import Ints, Key, Purpose, counter_hash
from dataengine.order.permutation import permute
from dataengine.order.source import Items


class BalancedItems:
    """The q-th visit to a class takes item q mod n of its n, through the permutation of lap q // n."""

    def __init__(self, items: Items, class_items: Ints, length: int | None) -> None:
        """`class_items` (C + 1,): where each class's items begin."""
        self._items, self._begin, self._size = items, class_items[:-1], np.diff(class_items)
        self.length = length or items.num_items

    def rows(self, positions: Ints, key: Key) -> Ints:
        """The rows at positions of the epoch of `key`."""
        num_classes = len(self._size)
        visit, slot = np.divmod(positions, num_classes)
        chosen = permute(slot, num_classes, counter_hash(key, Purpose.CLASSES, visit))
        size = self._size[chosen]
        lap, nth = np.divmod(visit, size)
        item = permute(nth, size, counter_hash(key, Purpose.ROWS_OF_CLASS, chosen, lap))
        return self._items.rows(self._begin[chosen] + item, key)
