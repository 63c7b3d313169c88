"""What an order asks of the rows it arranges, and what arranges them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dataengine.errors import DfxError
from dataengine.order.hashing import Ints, Key


class NamedStore(Protocol):
    """A store, as far as `mixed` tells them apart."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def layout_digest(self) -> str: ...


class ClassSource(Protocol):
    """Rows in (store, shard, offset) order: `dataengine.selection.Rows`, a part of them, or ones made up for a test."""

    def __len__(self) -> int: ...
    def codes(self, name: str) -> tuple[Ints, Sequence[str]]:
        """A column as (code of each row, names): `names[codes[i]]` is row i's value, and each name occurs."""
        ...

    def shard_sizes(self) -> Ints:
        """Rows of each shard, in the order in which they lie in the rows."""
        ...


class RowSource(ClassSource, Protocol):
    """All rows of an order."""

    @property
    def stores(self) -> Sequence[NamedStore]:
        """Of each reference, in the order of the rows."""
        ...

    def identity(self) -> Mapping[str, Sequence[str]]:
        """What makes two sources the same, as JSON."""
        ...

    def column(self, name: str) -> npt.NDArray[Any]:
        """A numeric column; `store` is an index into `stores` and never falls."""
        ...


class Items(Protocol):
    """What an epoch gives out, numbered so that a part (a class, a shard) has consecutive numbers."""

    @property
    def num_items(self) -> int: ...
    def rows(self, items: Ints, key: Key) -> Ints:
        """The rows of items in the epoch of `key`."""
        ...


class Arrangement(Protocol):
    """A policy over its items: position -> row."""

    @property
    def length(self) -> int:
        """Positions in an epoch."""
        ...

    def rows(self, positions: Ints, key: Key) -> Ints:
        """The rows at positions in [0, length) of the epoch of `key`."""
        ...


class AllRows:
    """Every row is an item, in the rows' own order."""

    def __init__(self, num_rows: int) -> None:
        self.num_items = num_rows

    def rows(self, items: Ints, key: Key) -> Ints:
        """The items themselves."""
        del key
        return items


def class_codes(rows: ClassSource, by: Sequence[str]) -> tuple[Ints, int]:
    """The class of each row, and how many there are: the distinct combinations of the columns' values."""
    codes, names = rows.codes(by[0])
    num_classes = len(names)
    for column in by[1:]:
        more, names = rows.codes(column)
        there, codes = np.unique(codes * len(names) + more, return_inverse=True)
        num_classes = len(there)
    return codes, num_classes


def starts_of(sizes: npt.NDArray[np.generic]) -> Ints:
    """(n + 1,): where each of n consecutive parts begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


def no_rows() -> DfxError:
    """The error of an order over nothing."""
    return DfxError("there are no rows to put in an order; select at least one sample")
