"""Rows made of numbers alone, of any size, and policies that fit them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from dataengine.order import Balanced, Blocked, Groups, Mixed, Policy, Sequential, Shuffled

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MadeStore:
    """A store's name and what tells it from another of that name."""

    name: str
    fingerprint: str = ""
    layout_digest: str = ""


@dataclass(frozen=True)
class MadeRows:
    """What an order and the loader's parts ask of rows, from a code of each row in each column."""

    num_rows: int
    columns: dict[str, Ints] = field(default_factory=dict)
    stores: tuple[MadeStore, ...] = (MadeStore("made"),)
    shards: Ints = field(default_factory=lambda: np.ones(1, dtype=np.int64))

    def __len__(self) -> int:
        return self.num_rows

    def identity(self) -> dict[str, list[str]]:
        return {"fingerprints": ["made"]}

    def codes(self, name: str) -> tuple[Ints, list[str]]:
        there, codes = np.unique(self.columns[name], return_inverse=True)
        return codes, [str(value) for value in there]

    def column(self, name: str) -> npt.NDArray[Any]:
        if name in ("width", "height"):
            return np.full(self.num_rows, 256)
        return self.columns[name]

    def shard_sizes(self) -> Ints:
        return self.shards

    @property
    def shard_of(self) -> Ints:
        """Of each row."""
        return np.repeat(np.arange(len(self.shards)), self.shards)


def make_rows(
    num_rows: int, *, clips: int = 1, classes: int = 1, stores: int = 1, shards: int = 1, seed: int = 0
) -> MadeRows:
    """At most so many clips, classes and stores, of random sizes; no clip is in two stores or of two classes. Two
    references to each store; shards of random sizes within a reference."""
    random = np.random.default_rng(seed)
    ref = np.sort(random.integers(0, 2 * stores, num_rows))
    clip = random.integers(0, clips, num_rows) * stores + ref % stores
    classes_of_clip = random.integers(0, classes, clips * stores)
    sub = np.sort(random.integers(0, shards, num_rows)) if shards > 1 else np.zeros(num_rows, dtype=np.int64)
    in_shard = np.unique(ref * shards + sub, return_counts=True)[1]
    return MadeRows(
        num_rows,
        {
            "store": ref,
            "clip": clip,
            "method": classes_of_clip[clip],
            "dataset": ref % stores,
            "label": (classes_of_clip[clip] > 0).astype(np.int64),
        },
        tuple(MadeStore(f"store-{i % stores}+", fingerprint=str(i % stores)) for i in range(2 * stores)),
        in_shard,
    )


@st.composite
def any_rows(draw: st.DrawFn, max_rows: int = 200, max_stores: int = 1) -> MadeRows:
    """Rows of any shape; where there may be several stores, each has a row."""
    rows = make_rows(
        draw(st.integers(1, max_rows)),
        clips=draw(st.integers(1, 40)),
        classes=draw(st.integers(1, 9)),
        stores=(stores := draw(st.integers(1, max_stores))),
        shards=draw(st.integers(1, 12)),
        seed=draw(st.integers(0, 2**32)),
    )
    if len(np.unique(rows.columns["dataset"])) < stores:
        return make_rows(rows.num_rows, clips=7, classes=3, shards=3)
    return rows


limits = st.none() | st.integers(1, 6)
columns = st.sampled_from([("method",), ("label",), ("method", "dataset")])
once = st.one_of(
    st.builds(Sequential, frames_per_clip=limits),
    st.builds(Shuffled, frames_per_clip=limits),
    st.builds(Blocked, frames_per_clip=limits, window=st.integers(1, 15)),
)
"""Policies that hold each item once."""


def balanced(max_length: int = 400) -> st.SearchStrategy[Policy]:
    """Any balanced policy."""
    return st.builds(Balanced, by=columns, frames_per_clip=limits, length=st.none() | st.integers(1, max_length))


@st.composite
def fitting_groups(draw: st.DrawFn, rows: MadeRows) -> Groups:
    """Groups that the rows have classes for, with a length that holds one."""
    by = draw(columns)
    there = len(np.unique(np.stack([rows.columns[column] for column in by]), axis=1).T)
    classes, per_class = draw(st.integers(1, there)), draw(st.integers(1, 9))
    length = classes * per_class * draw(st.integers(1, 20)) + draw(st.integers(0, classes * per_class - 1))
    return Groups(classes=classes, per_class=per_class, by=by, length=length, frames_per_clip=draw(limits))


@st.composite
def fitting_mixed(draw: st.DrawFn, rows: MadeRows) -> Mixed:
    """A weight for each of the rows' stores, and any policy within."""
    names = sorted({store.name for store in rows.stores})
    weights = tuple(
        (name, draw(st.sampled_from([0.25, 0.5, 1.0, 2.0, 3.0, 7.0]))) for name in draw(st.permutations(names))
    )
    return Mixed(weights=weights, within=draw(once | balanced()), length=draw(st.none() | st.integers(1, 400)))


def fitting(rows: MadeRows) -> st.SearchStrategy[Policy]:
    """Any policy that fits the rows."""
    return once | balanced() | fitting_groups(rows) | fitting_mixed(rows)
