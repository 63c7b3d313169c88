"""Several stores, served in proportion: `mixed`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dataengine.errors import DfxError
from dataengine.order.hashing import Ints, Key, Purpose, counter_hash
from dataengine.order.policy import Mixed
from dataengine.order.source import Arrangement, ClassSource, NamedStore, RowSource, starts_of

Spans = Ints
"""(n, 2): the rows [first, last) of each reference to a store."""


class MixedStores:
    """Position -> store and the number of its visit -> epoch of the store's own and position in it."""

    def __init__(self, policy: Mixed, rows: RowSource, arrange: Callable[[ClassSource], Arrangement]) -> None:
        """`arrange` makes the arrangement of a store's rows by `policy.within`."""
        self._spans = store_spans(rows, [name for name, _ in policy.weights])
        seen: dict[str, tuple[Ints, Sequence[str]]] = {}
        self._stores = [arrange(StoreRows(rows, spans, seen)) for spans in self._spans]
        self._counts = np.array(policy.counts())
        self._turns, self._nth = schedule(self._counts)
        self.length = policy.length or sum(store.length for store in self._stores)

    def rows(self, positions: Ints, key: Key) -> Ints:
        """The rows at positions of the epoch of `key`, one for all: a mixture is never within another."""
        period, slot = np.divmod(positions, len(self._turns))
        turn = self._turns[slot]
        visit = period * self._counts[turn] + self._nth[slot]
        out = np.empty_like(positions)
        for number, (store, spans) in enumerate(zip(self._stores, self._spans, strict=True)):
            at = np.flatnonzero(turn == number)
            if at.size:
                lap, position = np.divmod(visit[at], store.length)
                if (lap == lap[0]).all():  # one key for all positions is much faster
                    lap = np.asarray(lap[0])
                out[at] = _whole(store.rows(position, counter_hash(key, Purpose.STORE, number, lap)), spans)
        return out


def schedule(counts: Ints) -> tuple[Ints, Ints]:
    """Which store serves each of T = sum(counts) slots, and how many slots it served before."""
    stores = np.repeat(np.arange(len(counts)), counts)
    nth = np.arange(len(stores)) - np.repeat(starts_of(counts)[:-1], counts)
    order = np.argsort((nth + 0.5) / counts[stores], kind="stable")  # equal ratios round to equal floats
    return stores[order], nth[order]


class StoreRows:
    """The rows of one store, those of all of its references."""

    def __init__(self, rows: RowSource, spans: Spans, seen: dict[str, tuple[Ints, Sequence[str]]]) -> None:
        """`seen` holds the columns that were read, for all stores."""
        self._rows, self._spans, self._seen = rows, spans, seen

    def __len__(self) -> int:
        return int(np.diff(self._spans).sum())

    def codes(self, name: str) -> tuple[Ints, Sequence[str]]:
        """As `RowSource.codes`, over the values that the store holds."""
        if name not in self._seen:
            self._seen[name] = self._rows.codes(name)
        codes, names = self._seen[name]
        codes = np.concatenate([codes[first:last] for first, last in self._spans])
        there = np.flatnonzero(np.bincount(codes, minlength=len(names)))
        place = np.zeros(len(names), dtype=np.int64)
        place[there] = np.arange(len(there))
        return place[codes], [names[i] for i in there.tolist()]

    def shard_sizes(self) -> Ints:
        """Rows of each of the store's shards; a shard lies within one reference."""
        sizes = self._rows.shard_sizes()
        begin = starts_of(sizes)[:-1]
        return np.concatenate([sizes[(begin >= first) & (begin < last)] for first, last in self._spans])


def store_spans(rows: RowSource, names: Sequence[str]) -> list[Spans]:
    """Where the rows of the named stores lie.

    Raises DfxError for two stores of one name, a name that no store has and a store that is not named.
    """
    held: dict[str, NamedStore] = {}
    for store in rows.stores:
        first = held.setdefault(store.name, store)
        if (first.fingerprint, first.layout_digest) != (store.fingerprint, store.layout_digest):
            raise DfxError(f"policy mixed: two different stores are named '{store.name}'; rename the folder of one")
    if absent := [name for name in names if name not in held]:
        raise DfxError(
            f"policy mixed: '{absent[0]}' has a weight, but the rows are of {', '.join(held)}; "
            "leave the weight out, or add the store"
        )
    if unnamed := [name for name in held if name not in names]:
        raise DfxError(f"policy mixed: the store '{unnamed[0]}' has no weight; give it one, or leave the store out")
    ends = starts_of(np.bincount(rows.column("store"), minlength=len(rows.stores)))
    spans = np.stack([ends[:-1], ends[1:]], axis=1)
    own = [np.array([store.name == name for store in rows.stores]) for name in names]
    return [spans[mine & (spans[:, 0] < spans[:, 1])] for mine in own]


def _whole(rows: Ints, spans: Spans) -> Ints:
    """Rows of a store as rows of all."""
    if len(spans) == 1:
        return np.asarray(rows + spans[0, 0])
    starts = starts_of(np.diff(spans)[:, 0])
    span = np.searchsorted(starts, rows, "right") - 1
    return np.asarray(rows - starts[span] + spans[span, 0])
