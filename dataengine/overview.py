"""What a store holds, counted: of ten million images as of ten, without a row of theirs in Python."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataengine.faces.found import FaceShare, face_bias, faces_found
from dataengine.records import REAL, SPLITS
from dataengine.store import Store

_CELL = ["dataset", "method", "split", "quality"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The clips of one dataset, method, split and compression."""

    dataset: str
    method: str
    split: str
    quality: str
    clips: int
    """Failed ones too."""
    failed: int
    samples: int
    bytes: int
    """Of the encoded images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Sides of images, in pixels."""

    min: int
    median: float
    max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why clips failed, or lack frames."""

    status: str
    """"failed", or "ok" for clips that only lack frames."""
    reason: str
    clips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All counts."""

    cells: tuple[Cell, ...]
    """Real first in each dataset, splits in their usual order."""
    width: Extent
    height: Extent
    reasons: tuple[Reason, ...]
    """The most frequent first, failed ones before the others."""
    faces: tuple[FaceShare, ...]
    """Nothing where no face was looked for."""
    face_bias: str | None
    """A line where faces are found in real and in fake clips unequally often (`faces.found.face_bias`)."""


def overview(store: Store) -> Overview:
    """Count a store's clips, images, bytes, sizes, failures and faces. Raises StoreError where a table is damaged."""
    clips = store.clips()
    images = _grouped_images(store)
    return Overview(
        cells=_cells(clips, images),
        width=_extent(images, "width"),
        height=_extent(images, "height"),
        reasons=_reasons(clips),
        faces=tuple(faces_found(clips)),
        face_bias=face_bias(clips),
    )


def _grouped_images(store: Store) -> pa.Table:
    """Number and bytes of the images of each cell and size."""
    by = [*_CELL, "width", "height"]

    def counted(table: pa.Table) -> pa.Table:
        return table.group_by(by).aggregate([("size", "count"), ("size", "sum")])

    parts = store.rows(counted, [*by, "size"])
    whole = parts.group_by(by).aggregate([("size_count", "sum"), ("size_sum", "sum")])
    return whole.rename_columns([*by, "images", "bytes"])


def _cells(clips: pa.Table, images: pa.Table) -> tuple[Cell, ...]:
    failed = pc.equal(clips["status"], "failed").cast(pa.int64())
    counts = (
        clips.append_column("failed", failed)
        .group_by(_CELL)
        .aggregate([("status", "count"), ("failed", "sum"), ("samples", "sum")])
    )
    sizes = images.group_by(_CELL).aggregate([("bytes", "sum")])
    bytes_of = {tuple(row[name] for name in _CELL): row["bytes_sum"] for row in sizes.to_pylist()}
    cells = [
        Cell(
            **{name: row[name] for name in _CELL},
            clips=row["status_count"],
            failed=row["failed_sum"],
            samples=row["samples_sum"],
            bytes=bytes_of.get(tuple(row[name] for name in _CELL), 0),
        )
        for row in counts.to_pylist()
    ]
    return tuple(sorted(cells, key=_place))


def _place(cell: Cell) -> tuple[str, bool, str, int, str]:
    return cell.dataset, cell.method != REAL, cell.method, SPLITS.index(cell.split), cell.quality


def _extent(images: pa.Table, side: str) -> Extent:
    values, weights = (np.asarray(images[name].combine_chunks()) for name in (side, "images"))
    order = np.argsort(values)
    values, ends = values[order], np.cumsum(weights[order])
    middle = np.searchsorted(ends, [(ends[-1] - 1) // 2, ends[-1] // 2], side="right")
    return Extent(min=int(values[0]), median=float(values[middle].mean()), max=int(values[-1]))


def _reasons(clips: pa.Table) -> tuple[Reason, ...]:
    told = clips.filter(pc.not_equal(clips["reason"], "")).group_by(["status", "reason"]).aggregate([([], "count_all")])
    reasons = [Reason(status=row["status"], reason=row["reason"], clips=row["count_all"]) for row in told.to_pylist()]
    return tuple(sorted(reasons, key=lambda one: (one.status != "failed", -one.clips, one.reason)))
