"""The order of an epoch: position -> row."""

from __future__ import annotations

import json

import numpy as np

from dataengine.order.balanced import BalancedItems
from dataengine.order.blocked import blocked
from dataengine.order.classes import clips_by_class, items_by_class
from dataengine.order.groups import ClassGroups
from dataengine.order.hashing import Ints, counter_hash, text_hash
from dataengine.order.mixed import MixedStores
from dataengine.order.plain import Plain, items_in_order
from dataengine.order.policy import Balanced, Blocked, Groups, Mixed, Policy, Sequential, Shuffled
from dataengine.order.source import Arrangement, ClassSource, RowSource, no_rows

_CHUNK = 1 << 16  # positions evaluated at once: their many intermediate arrays then stay in a core's cache


class Order:
    """The order of an epoch over `rows`: position -> row.

    Built once for (rows, policy, seed); `rows(positions, epoch)` is then a pure function, and any position of any
    epoch is found at once. `sequential`, `shuffled` and `blocked` keep nothing that grows with the rows; policies by
    class and `frames_per_clip` keep 4 bytes a row and at most 8 a clip, twice that past 2**32 rows. Arrays above
    64 MiB lie in an unnamed temporary file, mapped into memory: the kernel may drop what is not in use.

    Raises DfxError for no rows, and where the policy does not fit them.
    """

    def __init__(self, policy: Policy, rows: RowSource, seed: int) -> None:
        if not len(rows):
            raise no_rows()
        self.policy = policy
        text = json.dumps([rows.identity(), str(policy)], sort_keys=True)
        self._key = int(counter_hash(seed, text_hash(text)))
        self._arrangement = _arrange_all(policy, rows)

    def length(self, epoch: int) -> int:
        """Positions in an epoch; the same for every epoch."""
        del epoch  # part of the contract: a policy may come to depend on it
        return self._arrangement.length

    def rows(self, positions: Ints, epoch: int) -> Ints:
        """The rows at `positions`, each in [0, length(epoch)); both int64 and of the same shape."""
        positions = np.asarray(positions, dtype=np.int64)
        if positions.size and (positions.min() < 0 or positions.max() >= self.length(epoch)):
            raise IndexError(f"positions outside [0, {self.length(epoch)})")
        key, flat = int(counter_hash(self._key, epoch)), positions.reshape(-1)
        out = np.empty_like(flat)
        for start in range(0, len(flat), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            out[chunk] = self._arrangement.rows(flat[chunk], key)
        return out.reshape(positions.shape)


def _arrange_all(policy: Policy, rows: RowSource) -> Arrangement:
    if isinstance(policy, Mixed):
        return MixedStores(policy, rows, lambda part: _arrange(policy.within, part))
    return _arrange(policy, rows)


def _arrange(policy: Policy, rows: ClassSource) -> Arrangement:
    match policy:
        case Sequential() | Shuffled():
            return Plain(items_in_order(rows, policy.frames_per_clip), shuffled=isinstance(policy, Shuffled))
        case Blocked():
            return blocked(rows, policy.window, policy.frames_per_clip)
        case Balanced():
            return BalancedItems(*items_by_class(rows, policy.by, policy.frames_per_clip), policy.length)
        case Groups():
            return ClassGroups(clips_by_class(rows, policy.by, policy.frames_per_clip), policy)
    raise TypeError(f"{policy!r} is no policy")
