"""What a sheet shows: samples of each method, or the frames of one clip."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from dataengine.backends.cpu import Scratch, decode_image
from dataengine.backends.headers import check_size
from dataengine.errors import DfxError, MediaError, StoreError
from dataengine.fetch import Shards
from dataengine.order import counter_hash, permute, text_hash
from dataengine.preview.names import clip_named, short_names
from dataengine.records import REAL
from dataengine.refs import StoreRef
from dataengine.selection import Rows, select
from dataengine.store import open_store

Pixels = npt.NDArray[np.uint8]

MOST = 400
"""Pictures of a sheet."""

_TRIED = 8  # damaged samples of a clip or method that are passed over before it is left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One sample."""

    pixels: Pixels | None
    """RGB uint8 (height, width, 3) at its own size; None where it cannot be read."""
    lines: tuple[str, ...]
    """What stands under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """Pictures that belong together, under one heading."""

    heading: str
    note: str
    """What stands beside the heading, smaller."""
    pictures: tuple[Picture, ...]


def method_strips(rows: Rows, *, images: int = 6, seed: int = 0) -> list[Strip]:
    """A strip for each method, real first: a frame of each of up to `images` clips, others with another `seed`.

    A clip is called by an ending of its name that is no other's in the strip. Samples that cannot be read are
    passed over. Raises DfxError where `images` is below 1, or so many with all methods
    are more than a sheet holds, and where nothing can be read.
    """
    codes, names = rows.codes("method")
    if images < 1 or images * len(names) > MOST:
        raise DfxError(f"{images} images of each of {len(names)} methods: a sheet holds 1 to {MOST} in all")
    clips, _ = rows.codes("clip")
    strips = []
    with closing(Shards(rows)) as shards:
        for code in sorted(range(len(names)), key=lambda code: (names[code] != REAL, names[code])):
            own = np.flatnonzero(codes == code)
            mixed = own[permute(np.arange(len(own)), len(own), int(counter_hash(seed, text_hash(names[code]))))]
            _, first = np.unique(clips[mixed], return_index=True)
            pictures: list[Picture] = []
            for row in mixed[np.sort(first)][: images * _TRIED].tolist():
                picture = _picture(rows, shards, row, _told_of_sample(rows, row))
                if picture.pixels is not None and len(pictures) < images:
                    pictures.append(picture)
            if pictures:
                category = str(rows.table["category"][int(own[0])])
                counts = f"{len(first):,} clips, {len(own):,} images"
                note = counts if category == names[code] else f"{category}, {counts}"
                strips.append(Strip(heading=names[code], note=note, pictures=tuple(pictures)))
    if not strips:
        raise DfxError(f"no sample of {', '.join(map(str, rows.refs))} can be shown: none can be read")
    return [_called(strip) for strip in strips]


def _called(strip: Strip) -> Strip:
    """With short names: clips of other methods, which may be called the same, stand under their own heading."""
    short = short_names(picture.lines[0] for picture in strip.pictures)
    pictures = (replace(picture, lines=(short[picture.lines[0]], *picture.lines[1:])) for picture in strip.pictures)
    return replace(strip, pictures=tuple(pictures))


def clip_strips(store: str, clip: str, *, images: int | None = None) -> list[Strip]:
    """The stored frames of one clip in order, a strip for each face; at most `images` of each, spread evenly.

    `clip` may be the ending of one clip's name alone. A frame that cannot be read has its place, without pixels. Raises
    DfxError where the store has no such clip or several, it failed, or it has more frames than a sheet holds.
    """
    opened = open_store(store)
    clip = clip_named(opened, clip)
    clips = opened.clips(["clip", "split", "status", "reason"])
    found = clips.filter(pc.equal(clips["clip"], clip)).to_pylist()
    if found[0]["status"] == "failed":
        raise StoreError(f"{clip} has no frames, it failed: {found[0]['reason']}; choose another --clip")
    rows = select([StoreRef(store, (("clip", (clip,)), ("split", (found[0]["split"],))))])
    order = sorted((_face(rows, row), int(rows.table["frame"][row].as_py()), row) for row in range(len(rows)))
    by_face: dict[int, list[int]] = {}
    for face, _, row in order:
        by_face.setdefault(face, []).append(row)
    if images is not None and images < 1:
        raise DfxError(f"images is {images}; give at least 1")
    chosen = {face: _spread(own, images) for face, own in by_face.items()}
    if sum(map(len, chosen.values())) > MOST:
        raise DfxError(f"{clip} has {len(rows)} frames, and a sheet holds {MOST}; give fewer with --images")
    about = rows.table.slice(0, 1).to_pylist()[0]
    with closing(Shards(rows)) as shards:
        return [
            Strip(
                heading=about["method"] if len(by_face) == 1 else f"{about['method']}, face {face}",
                note=f"{found[0]['split']}, {len(by_face[face])} frames"
                + (f", {len(own)} of them shown" if len(own) < len(by_face[face]) else ""),
                pictures=tuple(_picture(rows, shards, row, _told_of_frame(rows, row)) for row in own),
            )
            for face, own in chosen.items()
        ]


def _spread(rows: list[int], images: int | None) -> list[int]:
    if images is None or images >= len(rows):
        return rows
    return [rows[int(at)] for at in np.linspace(0, len(rows) - 1, images).round()]


def _face(rows: Rows, row: int) -> int:
    """Which face of the frame: a key ends in "-1", "-2", ... for those beyond the first."""
    name = rows.table["key"][row].as_py().rpartition("/")[2]
    return int(name.partition("-")[2] or 0)


def _picture(rows: Rows, shards: Shards, row: int, lines: tuple[str, ...]) -> Picture:
    try:
        data = shards.read(row)
        check_size(data, rows.table["width"][row].as_py(), rows.table["height"][row].as_py())
        return Picture(pixels=decode_image(data, Scratch()), lines=lines)
    except MediaError:
        return Picture(pixels=None, lines=(lines[0], "cannot be read"))


def _told_of_sample(rows: Rows, row: int) -> tuple[str, ...]:
    one = rows.table.slice(row, 1).to_pylist()[0]
    face = _face(rows, row)
    lines = [
        one["clip"],
        f"{one['split']}, frame {one['frame']}" + (f", face {face}" if face else ""),
        f"{one['width']} × {one['height']} px" + (f", score {one['score']:.2f}" if one["origin"] else ""),
    ]
    if one["box_x0"] is not None:
        lines.append(
            "box {:.0f}, {:.0f} to {:.0f}, {:.0f}".format(*(one[f"box_{edge}"] for edge in ("x0", "y0", "x1", "y1")))
        )
    return tuple(lines)


def _told_of_frame(rows: Rows, row: int) -> tuple[str, ...]:
    one = rows.table.slice(row, 1).to_pylist()[0]
    found = f"{one['origin']} {one['score']:.2f}" if one["origin"] == "detected" else one["origin"]
    return (f"frame {one['frame']}", *((found,) if found else ()))
