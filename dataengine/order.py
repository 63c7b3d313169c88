"""Which sample stands at which position: pure functions of (rows, policy, seed, epoch, position).

Workers, threads, ranks and backends never enter, so the global order is the same for any of them, and a stream is
resumed by its position alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import xxhash

from dataengine.errors import DfxError, unknown_name
from dataengine.store import Rows

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_ROUNDS = 8  # four leave [0, 5) visibly uneven; from eight on, where an element goes is uniform for any n
_CHUNK = 1 << 15  # positions evaluated at once: what fits a core's cache is about twice as fast as one large array


def _word(value: int | npt.NDArray[np.generic]) -> Words:
    if isinstance(value, int):
        return np.asarray(value & 0xFFFFFFFFFFFFFFFF, dtype=np.uint64)
    return np.asarray(value).astype(np.uint64)


def counter_hash(*words: int | npt.NDArray[np.generic]) -> Words:
    """A 64-bit hash of integers, elementwise over arrays that broadcast together.

    The splitmix64 finaliser (Steele, Lea and Flood, OOPSLA 2014) chained over the words. The same words give the
    same hash on any machine; `counter_hash(seed, epoch, positions)` is the counter-based generator behind every
    draw of the engine.
    """
    with np.errstate(over="ignore"):
        state = np.asarray(np.uint64(len(words)))
        for word in words:
            state = (state ^ _word(word)) + _GOLDEN
            state = (state ^ (state >> np.uint64(30))) * _MIX_1
            state = (state ^ (state >> np.uint64(27))) * _MIX_2
            state = state ^ (state >> np.uint64(31))
    return np.asarray(state, dtype=np.uint64)


def uniform(words: Words) -> npt.NDArray[np.float64]:
    """Hashes as floats in [0, 1), from their upper 53 bits."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def text_hash(text: str) -> int:
    """xxh3_64 of a text: how names enter `counter_hash`."""
    return xxhash.xxh3_64_intdigest(text.encode())


def permute(index: Ints, n: int | Ints, key: int | Words) -> Ints:
    """Position by position, a keyed permutation of [0, n): no array of n is made, any position takes constant time.

    A balanced eight-round Feistel network over the smallest even number of bits that holds n, with cycle walking
    (Black and Rogaway, CT-RSA 2002). `n` and `key` may be arrays that broadcast with `index`, so that each element
    is looked up in a permutation of its own. Every index must lie in [0, n).
    """
    index, sizes, keys = np.asarray(index, dtype=np.int64), np.asarray(n, dtype=np.int64), _word(key)
    shape = np.broadcast_shapes(index.shape, sizes.shape, keys.shape)
    flat = np.broadcast_to(index, shape).reshape(-1)
    if sizes.ndim:
        sizes = np.broadcast_to(sizes, shape).reshape(-1)
    if keys.ndim:
        keys = np.broadcast_to(keys, shape).reshape(-1)
    out = np.empty(flat.shape, dtype=np.int64)
    for start in range(0, len(flat), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        out[chunk] = _walk(flat[chunk], sizes[chunk] if sizes.ndim else sizes, keys[chunk] if keys.ndim else keys)
    return out.reshape(shape)


def _walk(index: Ints, n: Ints, key: Words) -> Ints:
    bits = np.frexp(np.maximum(n - 1, 1).astype(np.float64))[1]  # exact: n is far below 2**53
    half = np.maximum((bits + 1) // 2, 1).astype(np.uint64)
    size = n.astype(np.uint64)
    round_keys = [counter_hash(key, i) for i in range(_ROUNDS)]
    out = _feistel(index.astype(np.uint64), half, round_keys)
    outside = np.flatnonzero(out >= size)
    while outside.size:

        def pick(part: Words, at: Ints = outside) -> Words:
            return part[at] if part.ndim else part

        walked = _feistel(out[outside], pick(half), [pick(k) for k in round_keys])
        out[outside] = walked
        outside = outside[walked >= pick(size)]
    return out.astype(np.int64)


def _feistel(value: Words, half: Words, round_keys: list[Words]) -> Words:
    shift = np.uint64(64) - half
    with np.errstate(over="ignore"):
        left, right = value >> half, value & ((np.uint64(1) << half) - np.uint64(1))
        for round_key in round_keys:
            mixed = (right ^ round_key) * _MIX_1
            mixed ^= mixed >> np.uint64(29)
            mixed *= _MIX_2
            mixed >>= shift
            left, right = right, left ^ mixed
    return np.asarray((left << half) | right, dtype=np.uint64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How an epoch runs through the selected rows."""

    name: Literal["sequential", "shuffled", "balanced"] = "shuffled"
    """sequential: in the store's order. shuffled: each row once, in a new order each epoch. balanced: every run of
    C positions holds each of the C classes once; rows of a small class come again, each of them equally often."""
    by: str = "method"
    """The index column whose values are the classes of `balanced`."""
    frames_per_clip: int | None = None
    """At most so many frames of a clip an epoch, other ones each epoch; None: all."""
    length: int | None = None
    """Positions in an epoch of `balanced`; None: as many as there are rows to run through."""

    def __post_init__(self) -> None:
        if self.name not in POLICIES:
            raise unknown_name("policy", self.name, POLICIES)
        for field in ("frames_per_clip", "length"):
            value = getattr(self, field)
            if value is not None and value < 1:
                raise DfxError(f"policy {field} is {value}; give a number of at least 1, or leave it out")
        if self.length is not None and self.name != "balanced":
            raise DfxError(f"policy length goes with 'balanced', not with '{self.name}'; leave it out")


POLICIES = ("sequential", "shuffled", "balanced")


class Order:
    """The order of an epoch over `rows`: position -> row.

    Built once for (rows, policy, seed); `rows(positions, epoch)` is then a pure function. `shuffled` and `sequential`
    keep nothing that grows with the rows, `balanced` and `frames_per_clip` eight bytes a selected row.
    """

    def __init__(self, policy: Policy, rows: Rows, seed: int) -> None:
        self.policy = policy
        text = json.dumps([rows.identity(), asdict(policy)], sort_keys=True)
        self._key = int(counter_hash(seed, text_hash(text)))
        self._clips = _Clips(rows, policy.frames_per_clip) if policy.frames_per_clip else None
        self._items = self._clips.num_items if self._clips else len(rows)
        self._classes = _Classes(rows, policy.by, self._clips) if policy.name == "balanced" else None

    def length(self, epoch: int) -> int:
        """Positions in an epoch; the same for every epoch."""
        del epoch  # part of the contract: a policy may come to depend on it
        return self.policy.length or self._items

    def rows(self, positions: Ints, epoch: int) -> Ints:
        """The rows (indices into `rows.table`) at `positions`, each in [0, length(epoch)) and int64."""
        positions = np.asarray(positions, dtype=np.int64)
        if positions.size and (positions.min() < 0 or positions.max() >= self.length(epoch)):
            raise IndexError(f"positions outside [0, {self.length(epoch)})")
        if self._classes is not None:
            items = self._classes.items(positions, self._key, epoch)
        elif self.policy.name == "shuffled":
            items = permute(positions, self._items, int(counter_hash(self._key, epoch)))
        else:
            items = positions
        if self._clips is not None:
            items = self._clips.rows(items, self._key, epoch)
        return np.asarray(items)


class _Clips:
    """Rows by clip: item i is the j-th of the at most k frames that its clip gives to an epoch."""

    def __init__(self, rows: Rows, frames_per_clip: int) -> None:
        codes, names = rows.codes("clip")
        self._by_clip = np.argsort(codes, kind="stable").astype(np.int64)
        self._count = np.bincount(codes, minlength=len(names)).astype(np.int64)
        self._start = np.cumsum(self._count) - self._count
        self._name = np.array([text_hash(name) for name in names], dtype=np.uint64)
        given = np.minimum(self._count, frames_per_clip)
        self.clip_of = np.repeat(np.arange(len(names), dtype=np.int64), given)
        self._nth = np.arange(len(self.clip_of), dtype=np.int64) - np.repeat(np.cumsum(given) - given, given)
        self.num_items = len(self.clip_of)

    def first_rows(self) -> Ints:
        """A row of each item's clip: where its class can be read."""
        return np.asarray(self._by_clip[self._start[self.clip_of]])

    def rows(self, items: Ints, key: int, epoch: int) -> Ints:
        clip = self.clip_of[items]
        frame = permute(self._nth[items], self._count[clip], counter_hash(key, epoch, self._name[clip]))
        return np.asarray(self._by_clip[self._start[clip] + frame])


class _Classes:
    """Items by class, for `balanced`."""

    def __init__(self, rows: Rows, by: str, clips: _Clips | None) -> None:
        codes, names = rows.codes(by)
        if clips is not None:
            codes = codes[clips.first_rows()]
        self._by_class = np.argsort(codes, kind="stable").astype(np.int64)
        self._count = np.bincount(codes, minlength=len(names)).astype(np.int64)
        self._start = np.cumsum(self._count) - self._count

    def items(self, positions: Ints, key: int, epoch: int) -> Ints:
        num_classes = len(self._count)
        run, slot = np.divmod(positions, num_classes)
        chosen = permute(slot, num_classes, counter_hash(key, epoch, run))
        count = self._count[chosen]
        lap, nth = np.divmod(run, count)
        nth = permute(nth, count, counter_hash(key, epoch, chosen, lap))
        return np.asarray(self._by_class[self._start[chosen] + nth])
