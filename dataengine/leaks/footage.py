"""Near-identical frames in two splits or two stores: decoded, signed, looked up, and checked once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataengine.errors import MediaError
from dataengine.fetch import Shards
from dataengine.leaks.material import Material
from dataengine.leaks.near import near_hashes, same_detail
from dataengine.leaks.records import NUM_EXAMPLES, Kind, Leak
from dataengine.leaks.signature import SIDE, WORDS, Words, grey_image, signatures
from dataengine.selection import Rows

Ints = npt.NDArray[np.int64]
OnImage = Callable[[int, int], None]

_AT_ONCE = 256  # images of a task: they follow one another in a tar
_MERGED_AT = 1 << 22  # pairs of clips kept apart before they are put together


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What became of each image."""

    signatures: Words
    """(N, 4); see `signature.signatures`."""
    plain: npt.NDArray[np.bool_]
    readable: npt.NDArray[np.bool_]
    first_unreadable: str


def sign(material: Material, *, threads: int, on_image: OnImage | None = None) -> Signed:
    """Decode and sign every image, on threads, in the order in which it lies in its tars; `on_image(done, total)`.

    Images that cannot be decoded are marked. Raises StoreError where a remote tar cannot be had.
    """
    words = np.zeros((len(material), WORDS), dtype=np.uint64)
    plain, readable = np.zeros(len(material), dtype=bool), np.ones(len(material), dtype=bool)
    first_unreadable, start = "", 0
    for rows in material.rows:
        with closing(Shards(rows)) as shards, ThreadPoolExecutor(threads) as pool:
            shards.check_fits(1)
            tasks = [np.arange(at, min(at + _AT_ONCE, len(rows))) for at in range(0, len(rows), _AT_ONCE)]
            shards.follow(iter(tasks))
            done = _in_turn(pool, shards, rows, tasks, ahead=4 * threads)
            for part, (part_words, part_plain, reasons) in zip(tasks, done, strict=True):
                words[start + part], plain[start + part] = part_words, part_plain
                for place, reason in reasons.items():
                    readable[start + part[place]] = False
                    first_unreadable = first_unreadable or f"{material.example(start + part[place])}: {reason}"
                if on_image:
                    on_image(start + int(part[-1]) + 1, len(material))
        start += len(rows)
    return Signed(signatures=words, plain=plain, readable=readable, first_unreadable=first_unreadable)


_Part = tuple[Words, npt.NDArray[np.bool_], dict[int, str]]


def _in_turn(pool: ThreadPoolExecutor, shards: Shards, rows: Rows, tasks: list[Ints], *, ahead: int) -> Iterator[_Part]:
    """What `_sign_part` gives for each task, so many of them in work or waiting; an error ends the rest."""
    sizes = rows.column("width"), rows.column("height")
    waiting = [pool.submit(_sign_part, shards, task, *sizes) for task in tasks[:ahead]]
    try:
        for number in range(len(tasks)):
            if number + ahead < len(tasks):
                waiting.append(pool.submit(_sign_part, shards, tasks[number + ahead], *sizes))
            yield waiting.pop(0).result()
    finally:
        for future in waiting:
            future.cancel()


def _sign_part(shards: Shards, rows: Ints, widths: Ints, heights: Ints) -> _Part:
    images = np.zeros((len(rows), SIDE, SIDE), dtype=np.uint8)
    reasons = {}
    for place, row in enumerate(rows.tolist()):
        try:
            images[place] = grey_image(shards.read(row), int(widths[row]), int(heights[row]))
        except MediaError as error:
            reasons[place] = str(error)
    return *signatures(images), reasons


def near_leaks(material: Material, signed: Signed) -> tuple[list[Leak], Ints]:
    """One leak for each two sides, and each kind ("near": of one label, "footage": of two), that near clips lie in;
    and how many pairs of a real and a fake clip are near within each side.

    Images of equal bytes are left out: `same_bytes` has them. Within a side, clips of one label are not compared.
    """
    usable = np.flatnonzero(signed.readable & ~signed.plain)
    side_of, label_of = (
        np.array([getattr(place, name) for place in material.places], dtype=np.int64) for name in ("side", "label")
    )
    kept: list[Ints] = []
    for i, j in near_hashes(signed.signatures[usable, 0]):
        a, b = usable[i], usable[j]
        p, q = material.place[a], material.place[b]
        worth = (p != q) & ((side_of[p] != side_of[q]) | (label_of[p] != label_of[q]))
        worth &= (material.xxh3[a] != material.xxh3[b]) | (material.size[a] != material.size[b])
        a, b = a[worth], b[worth]
        same = same_detail(signed.signatures, a, b)
        a, b = a[same], b[same]
        swapped = side_of[material.place[a]] > side_of[material.place[b]]
        a, b = np.where(swapped, b, a), np.where(swapped, a, b)
        kept.append(np.stack([a, b, np.ones_like(a)], axis=1))
        if sum(map(len, kept)) > _MERGED_AT:
            kept = [_of_clips(material, kept)]
    pairs = _of_clips(material, kept)
    pairs = pairs[np.argsort(-pairs[:, 2], kind="stable")]  # the surest first
    places = material.place[pairs[:, :2]]
    sides, other = side_of[places], label_of[places[:, 0]] != label_of[places[:, 1]]
    within = sides[:, 0] == sides[:, 1]
    beside = np.bincount(sides[within, 0], minlength=len(material.sides))
    leaks = []
    for a, b in np.unique(sides[~within], axis=0).tolist():
        kinds: tuple[tuple[Kind, bool], ...] = (("near", False), ("footage", True))
        for kind, label in kinds:
            found = (sides[:, 0] == a) & (sides[:, 1] == b) & (other == label)
            if found.any():
                leaks.append(_leak(kind, material, a, b, pairs[found], places[found]))
    return leaks, beside


def _of_clips(material: Material, kept: list[Ints]) -> Ints:
    """Of pairs of images, with how many they stand for, the first of each pair of clips."""
    pairs = np.concatenate([np.empty((0, 3), dtype=np.int64), *kept])
    places = np.sort(material.place[pairs[:, :2]].astype(np.int64), axis=1)
    clips = places[:, 0] * len(material.places) + places[:, 1]
    _, first, group = np.unique(clips, return_index=True, return_inverse=True)
    of_clips = pairs[first]
    np.add.at(of_clips[:, 2], group, pairs[:, 2])
    of_clips[:, 2] -= pairs[first, 2]
    return np.asarray(of_clips)


def _leak(kind: Kind, material: Material, a: int, b: int, pairs: Ints, places: Ints) -> Leak:
    return Leak(
        kind=kind,
        sides=(material.sides[a].name, material.sides[b].name),
        count=len(pairs),
        frames=int(pairs[:, 2].sum()),
        clips=(len(np.unique(places[:, 0])), len(np.unique(places[:, 1]))),
        breaks=material.sides[a].tests(material.sides[b]),
        examples=tuple((material.example(i), material.example(j)) for i, j, _ in pairs[:NUM_EXAMPLES].tolist()),
    )
