"""The same identities in two splits or two stores, and official test clips outside a test split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from dataengine.errors import StoreError
from dataengine.leaks.material import Material, Place
from dataengine.leaks.records import NUM_EXAMPLES, Leak

Name = tuple[str, ...]
"""A clip's path in parts, without the file's type."""

_IMAGES = frozenset({"jpg", "jpeg", "png", "bmp", "webp"})


def same_identities(material: Material) -> list[Leak]:
    """One leak for each two sides that people are in, as target or source: identities are qualified by dataset
    ("ff++/000"), and datasets made of another's footage carry that one's names."""
    held: list[dict[str, list[Place]]] = [defaultdict(list) for _ in material.sides]
    for place in material.places:
        for identity in place.identities:
            held[place.side][identity].append(place)
    leaks = []
    for a, b in combinations(range(len(material.sides)), 2):
        if shared := sorted(held[a].keys() & held[b].keys()):
            clips = [len({place.clip for identity in shared for place in held[one][identity]}) for one in (a, b)]
            leaks.append(
                Leak(
                    kind="identity",
                    sides=(material.sides[a].name, material.sides[b].name),
                    count=len(shared),
                    clips=(clips[0], clips[1]),
                    breaks=material.sides[a].tests(material.sides[b]),
                    examples=tuple(
                        (f"{identity} in {held[a][identity][0].clip}", f"{identity} in {held[b][identity][0].clip}")
                        for identity in shared[:NUM_EXAMPLES]
                    ),
                )
            )
    return leaks


def official_elsewhere(material: Material, lists: Sequence[Path] = ()) -> list[Leak]:
    """Clips that an official list puts in test, and that lie in another split.

    Official are the test clips of a store whose test split comes from its dataset's own list (`split_origin`), and
    what the files `lists` name: one path a line, as in Celeb-DF's List_of_testing_videos.txt; what stands before the
    last space of a line is passed over. A clip is meant where its path ends in the listed one, whatever its type.
    Raises StoreError for a list that cannot be read, or is empty.
    """
    paths = _paths(material)
    named: dict[str, set[Name]] = {path.name: _listed(path) for path in lists}
    for number, side in enumerate(material.sides):
        if side.split == "test" and _is_official(str(material.rows[side.store].stores[0].meta["split_origin"])):
            named[side.name] = {paths[at] for at, place in enumerate(material.places) if place.side == number}
    leaks = []
    for origin, official in named.items():
        for number, side in enumerate(material.sides):
            if side.split == "test":
                continue
            found = [
                (listed, place.clip)
                for at, place in enumerate(material.places)
                if place.side == number and (listed := _ending(paths[at], official))
            ]
            if found:
                leaks.append(
                    Leak(
                        kind="official",
                        sides=(origin, side.name),
                        count=len(found),
                        clips=(len({listed for listed, _ in found}), len(found)),
                        breaks=True,
                        examples=tuple(("/".join(listed), clip) for listed, clip in found[:NUM_EXAMPLES]),
                    )
                )
    return leaks


def _is_official(split_origin: str) -> bool:
    return split_origin.startswith("official")


def _paths(material: Material) -> list[Name]:
    """Of each place, where its clip came from; a clip of image files from their folder."""
    paths: list[dict[str, Name]] = []
    for rows in material.rows:
        table = rows.stores[0].clips(["clip", "path"])
        paths.append({clip: _name(path) for clip, path in zip(*(column.to_pylist() for column in table), strict=True)})
    return [paths[material.sides[place.side].store][place.clip] for place in material.places]


def _name(path: str) -> Name:
    parts = path.split("/")
    stem, dot, suffix = parts[-1].rpartition(".")
    if suffix.lower() in _IMAGES and len(parts) > 1:
        return tuple(parts[:-1])
    return (*parts[:-1], stem if dot else parts[-1])


def _ending(path: Name, official: set[Name]) -> Name:
    """The listed name that a path ends in, of two parts or more; () for none."""
    return next((path[start:] for start in range(len(path) - 1) if path[start:] in official), ())


def _listed(path: Path) -> set[Name]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise StoreError(f"{path} is no readable list of test clips; name a text file with one path a line") from None
    names = {_name(line.split(maxsplit=1)[-1].strip()) for line in lines if line.strip()}
    if not names:
        raise StoreError(f"{path} lists no clip; name a text file with one path a line")
    return names
