"""Shuffled within windows of shuffled shards: `blocked`."""

from __future__ import annotations

import numpy as np

from dataengine.order.clips import Clips
from dataengine.order.hashing import Ints, Key, Purpose, Words, counter_hash, one_key
from dataengine.order.permutation import permute
from dataengine.order.source import AllRows, ClassSource, Items, starts_of


class BlockedItems:
    """Keeps three numbers a shard, and nothing that grows with the rows."""

    def __init__(self, items: Items, shard_items: Ints, window: int) -> None:
        """`shard_items` (shards + 1,): where each shard's items begin."""
        self._items, self._window = items, window
        self._begin, self._size = shard_items[:-1], np.diff(shard_items)
        self.length = items.num_items
        self._latest: tuple[Words, tuple[Ints, Ints, Ints]] | None = None

    def rows(self, positions: Ints, key: Key) -> Ints:
        """The rows at positions of the epoch of `key`."""
        keys = np.asarray(key, dtype=np.uint64).reshape(-1)
        keys, epoch = (keys, np.zeros(1, dtype=np.int64)) if one_key(key) else np.unique(keys, return_inverse=True)
        shards, starts, windows = self._layout(keys)
        at = positions + epoch * self.length
        window = np.searchsorted(windows, at, "right") - 1
        start = windows[window]
        size = windows[window + 1] - start
        nth_window = window - epoch * -(-len(self._size) // self._window)
        at = start + permute(at - start, size, counter_hash(key, Purpose.WINDOW, nth_window))
        turn = np.searchsorted(starts, at, "right") - 1
        return self._items.rows(self._begin[shards[turn]] + at - starts[turn], key)

    def _layout(self, keys: Words) -> tuple[Ints, Ints, Ints]:
        """Of the epochs of these keys, one after the other: the shards in their turn, and where each of them and each
        window begins, with where the last one ends."""
        latest = self._latest
        if latest is None or not np.array_equal(latest[0], keys):
            num_shards = len(self._size)
            shards = permute(np.arange(num_shards), num_shards, counter_hash(keys[:, None], Purpose.SHARDS))
            starts = starts_of(self._size[shards].reshape(-1))
            windows = np.append(starts[:-1].reshape(shards.shape)[:, :: self._window], starts[-1])
            self._latest = latest = keys, (shards.reshape(-1), starts, windows)
        return latest[1]


def blocked(rows: ClassSource, window: int, frames_per_clip: int | None) -> BlockedItems:
    """The order of `Blocked` over the rows."""
    sizes = rows.shard_sizes()
    shard_rows = starts_of(sizes[sizes > 0])
    if frames_per_clip is None:
        return BlockedItems(AllRows(len(rows)), shard_rows, window)

    def shard_of(first: Ints) -> Ints:
        return np.searchsorted(shard_rows, first, "right") - 1

    clips = Clips(rows, frames_per_clip, shard_of, len(shard_rows) - 1)
    held = np.append(np.diff(clips.part_items) > 0, True)  # a shard may hold the first row of no clip
    return BlockedItems(clips, clips.part_items[held], window)
