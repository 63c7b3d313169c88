"""What a search for leaks compares: the images of stores by the split, and the clip, that they lie in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataengine.errors import StoreError
from dataengine.refs import parse_ref
from dataengine.selection import Rows, select

_COLUMNS = ("shard", "offset", "size", "xxh3", "label", "clip", "frame", "target_id", "source_id", "width", "height")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One split of one store."""

    store: int
    """In the order in which they were named."""
    split: str
    name: str
    """As a report shows it: "ff++:train"."""
    clips: int
    images: int

    def tests(self, other: Side) -> bool:
        """Whether one is tested on and the other learnt from, or chosen by."""
        return (self.split == "test") != (other.split == "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A clip in a side. The same clip in two stores has two places."""

    clip: str
    side: int
    label: int
    identities: frozenset[str]
    """Of its footage and of the face put in, as far as they are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """The selected images of all stores, one element an image, store after store; some 40 bytes each."""

    rows: tuple[Rows, ...]
    """Of each store."""
    sides: tuple[Side, ...]
    places: tuple[Place, ...]
    place: npt.NDArray[np.int32]
    """Which of `places` each image lies in."""
    frame: npt.NDArray[np.int32]
    xxh3: npt.NDArray[np.uint64]
    size: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.place)

    def example(self, image: int) -> str:
        """An image as a report shows it."""
        return f"{self.places[self.place[image]].clip}, frame {self.frame[image]}"


def gather(refs: Sequence[str]) -> Material:
    """The images of stores or selections of them, without the split `none`.

    Raises StoreError where a store is named twice: name it once, its splits are compared with each other anyway.
    """
    parsed = [parse_ref(ref) for ref in refs]
    rows = [select([ref], columns=_COLUMNS) for ref in parsed]
    roots = [str(one.stores[0].root.resolve()) for one in rows]
    if twice := [root for root in roots if roots.count(root) > 1]:
        raise StoreError(f"{twice[0]} is named twice; name each store once: its own splits are compared too")
    names = [one.stores[0].name for one in rows]
    short = [
        name if Counter(names)[name] == 1 else ref.path.partition("?")[0]
        for name, ref in zip(names, parsed, strict=True)
    ]
    sides: list[Side] = []
    places: list[Place] = []
    place_of = []
    for number, (one, name) in enumerate(zip(rows, short, strict=True)):
        place_of.append(_placed(one, number, name, sides, places))
    return Material(
        rows=tuple(rows),
        sides=tuple(sides),
        places=tuple(places),
        place=np.concatenate(place_of).astype(np.int32),
        frame=np.concatenate([one.column("frame") for one in rows]).astype(np.int32),
        xxh3=np.concatenate([one.column("xxh3") for one in rows]).astype(np.uint64),
        size=np.concatenate([one.column("size") for one in rows]).astype(np.int32),
    )


def _placed(rows: Rows, store: int, name: str, sides: list[Side], places: list[Place]) -> npt.NDArray[np.int64]:
    """Which place each row lies in; new sides and places are added."""
    (clip, clips), (split, splits) = rows.codes("clip"), rows.codes("split")
    found, first, place = np.unique(clip * len(splits) + split, return_index=True, return_inverse=True)
    before, offset = len(sides), len(places)
    for code, text in enumerate(splits):
        counts = int((found % len(splits) == code).sum()), int((split == code).sum())
        sides.append(Side(store=store, split=text, name=f"{name}:{text}", clips=counts[0], images=counts[1]))
    facts = rows.table.select(["label", "target_id", "source_id"]).take(first)
    labels, targets, sources = (facts[column].to_pylist() for column in facts.column_names)
    for code, label, target, source in zip(found.tolist(), labels, targets, sources, strict=True):
        known = frozenset(identity for identity in (target, source) if identity)
        side = before + code % len(splits)
        places.append(Place(clip=clips[code // len(splits)], side=side, label=label, identities=known))
    return np.asarray(place + offset, dtype=np.int64)
