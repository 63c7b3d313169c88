"""Groups of P classes x K items: `groups`.

Both levels run around in circles: where C things are dealt P at a time from one permutation of them, over and over,
C / gcd(C, P) deals give each equally often, and P <= C that are dealt together differ.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dataengine.errors import DfxError
from dataengine.order.clips import Clips
from dataengine.order.hashing import Ints, Key, Purpose, Words, counter_hash
from dataengine.order.permutation import permute
from dataengine.order.policy import Groups


class ClassGroups:
    """Position -> group, class in it, clip of the class, frame of the clip."""

    def __init__(self, clips: Clips, policy: Groups) -> None:
        """`clips` are sorted by class. Raises DfxError for too few classes, or an epoch without a whole group."""
        self._clips, self._classes, self._per_class = clips, policy.classes, policy.per_class
        self._begin, self._num_clips = clips.part_clips[:-1], np.diff(clips.part_clips)
        if policy.classes > len(self._num_clips):
            raise DfxError(
                f"policy {policy}: the rows have {len(self._num_clips)} classes by {' and '.join(policy.by)}, "
                f"fewer than {policy.classes}; take classes={len(self._num_clips)} or less"
            )
        positions = policy.length or clips.num_items
        self.length = positions // policy.group * policy.group
        if not self.length:
            raise DfxError(
                f"policy {policy}: an epoch of {positions} positions holds no group of {policy.group}; "
                f"take smaller groups, or set length to {policy.group} or more"
            )

    def rows(self, positions: Ints, key: Key) -> Ints:
        """The rows at positions of the epoch of `key`, one for all: a store's turns would tear groups apart."""
        turn, k = np.divmod(positions, self._per_class)
        begin = np.flatnonzero(np.diff(turn, prepend=-1))  # a class's items stand side by side: it is found once
        chosen, visit = deal(
            turn[begin], self._classes, len(self._num_clips), lambda block: counter_hash(key, Purpose.CLASSES, block)
        )
        lengths = np.diff(begin, append=len(turn))
        chosen, visit = np.repeat(chosen, lengths), np.repeat(visit, lengths)
        clip, visit = deal(
            visit * self._per_class + k,
            self._per_class,
            self._num_clips[chosen],
            lambda block: counter_hash(key, Purpose.CLIPS_OF_CLASS, chosen, block),
        )
        return self._frames(self._begin[chosen] + clip, visit, key)

    def _frames(self, clips: Ints, visit: Ints, key: Key) -> Ints:
        """The rows that clips give out at their visits."""
        start, frames = self._clips.frames(clips)
        given = self._clips.given(frames)
        lap, nth = np.divmod(visit, given)
        frame = permute(nth, given, counter_hash(key, Purpose.FRAMES_OF_LAP, clips, lap))
        if self._clips.limit is not None:
            frame = self._clips.drawn(frame, clips, frames, key)
        return np.asarray(self._clips.members[start + frame], dtype=np.int64)


def deal(turn: Ints, hand: int, num: int | Ints, key_of_block: Callable[[Ints], Words]) -> tuple[Ints, Ints]:
    """Which of `num` things is dealt at a turn, `hand` of them at a time, and how often it was dealt before.

    A block of lcm(num, hand) turns, a whole number of hands, goes through one permutation of the things.
    """
    period: Ints = np.lcm(num, hand)
    block, at = np.divmod(turn, period)
    lap, place = np.divmod(at, num)
    return permute(place, num, key_of_block(block)), block * (period // num) + lap
