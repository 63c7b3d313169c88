"""Rows by clip: the frames that each clip gives to an epoch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dataengine.order.hashing import Ints, Key, Purpose, counter_hash
from dataengine.order.members import gather, narrow
from dataengine.order.permutation import permute
from dataengine.order.source import ClassSource, starts_of


class Clips:
    """Clips sorted by (part, first row), and items: the at most k frames that each gives to an epoch.

    Keeps 4 bytes a row and 4 or 8 a clip (8 and 16 past 2**32 rows).
    """

    def __init__(
        self, rows: ClassSource, frames_per_clip: int | None, part_of: Callable[[Ints], Ints], num_parts: int
    ) -> None:
        """`part_of` gives the part (class, shard) of rows; a clip belongs to that of its first one."""
        codes, names = rows.codes("clip")
        first = np.empty(len(names), dtype=np.int64)
        first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of a clip's rows, the one that is written last stays
        part = part_of(first)
        by_part = np.lexsort((first, part))
        place = np.empty_like(first)
        place[by_part] = np.arange(len(place))
        self.members, starts = gather(codes, len(names), place)
        """Rows, a clip's side by side."""
        frames = np.diff(starts)
        given = frames if frames_per_clip is None else np.minimum(frames, frames_per_clip)
        given_starts = starts_of(given)
        self.part_clips = starts_of(np.bincount(part, minlength=num_parts))
        """(parts + 1,): the first clip of each part."""
        self.part_items = given_starts[self.part_clips]
        """(parts + 1,): the first item of each part."""
        self.num_items = int(given_starts[-1])
        self.limit = frames_per_clip
        self.starts = narrow(starts, len(codes))
        """(clips + 1,): where each clip's rows begin in `members`."""
        self._each = int(given[0]) if (given == given[0]).all() else 0
        self._given_starts = self.starts if self.num_items == len(codes) else narrow(given_starts, len(codes))

    def frames(self, clips: Ints) -> tuple[Ints, Ints]:
        """Of each clip, where its rows begin in `members`, and how many it has."""
        start = self.starts[clips].astype(np.int64)
        return start, self.starts[clips + 1] - start

    def given(self, frames: Ints) -> Ints:
        """How many of a clip's frames an epoch gives out."""
        return frames if self.limit is None else np.minimum(frames, self.limit)

    def drawn(self, nth: Ints, clips: Ints, frames: Ints, key: Key) -> Ints:
        """Which of its frames a clip gives out as its n-th, in the epoch of `key`."""
        return permute(nth, frames, counter_hash(key, Purpose.FRAMES, clips))

    def rows(self, items: Ints, key: Key) -> Ints:
        """The rows of items in the epoch of `key`."""
        if self._each:
            clips, nth = np.divmod(items, self._each)
        else:
            found = np.searchsorted(self._given_starts, items.astype(self._given_starts.dtype), "right")
            clips = found.astype(np.int64) - 1
            nth = items - self._given_starts[clips]
        start, frames = self.frames(clips)
        return np.asarray(self.members[start + self.drawn(nth, clips, frames, key)], dtype=np.int64)
