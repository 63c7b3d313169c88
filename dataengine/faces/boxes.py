"""Boxes that somebody else found, read from a file (CSV or Parquet) instead of asking a detector."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from dataengine.errors import DfxError, line_of
from dataengine.faces.face import Face
from dataengine.faces.pinned import Pinned, unchanged
from dataengine.faces.tracks import LINK_IOU, interpolated, link
from dataengine.records import Clip

MAX_BRIDGE = 30
"""Frames of the video between two boxes that the frames between are interpolated from: about a second, as long as the
gaps that tracks bridge in clips of some 300 frames."""

_BOX = ("x0", "y0", "x1", "y1")
LANDMARKS = tuple(
    f"{point}_{axis}" for point in ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right") for axis in "xy"
)
"""The columns of the five landmarks, in their order; left and right are the image's."""

_NEEDED = ("path", "frame", *_BOX)
_TYPES = {
    "path": pa.string(),
    "frame": pa.int32(),
    **{name: pa.float32() for name in (*_BOX, "score", *LANDMARKS)},
}


@dataclass(frozen=True, slots=True)
class Boxes:
    """The boxes of a file, sorted by path and frame."""

    where: str
    """The file, for messages."""
    spans: dict[str, slice]
    """Each path's rows."""
    frames: npt.NDArray[np.int32]
    numbers: npt.NDArray[np.float32]
    """(N, 5): x0, y0, x1, y1, score."""
    landmarks: npt.NDArray[np.float32] | None
    """(N, 5, 2), or None where the file has no such columns."""

    def faces(self, path: str, frame: int) -> list[Face]:
        """The faces of a frame: the boxes that the file has ("given"), else those on the straight line between its
        neighbours where both have them and are at most MAX_BRIDGE frames apart ("interpolated")."""
        span = self.spans.get(path)
        if span is None:
            return []
        frames = self.frames[span]
        at = int(np.searchsorted(frames, frame))
        if at < len(frames) and frames[at] == frame:
            return self._given(span, frame)
        if at in (0, len(frames)) or frames[at] - frames[at - 1] > MAX_BRIDGE:
            return []
        start, end = int(frames[at - 1]), int(frames[at])
        before, after = self._given(span, start), self._given(span, end)
        share = (frame - start) / (end - start)
        pairs = link(before, after, LINK_IOU)
        return [interpolated(before[i], after[j], share, "interpolated") for i, j in pairs]

    def _given(self, span: slice, frame: int) -> list[Face]:
        first, last = (span.start + int(np.searchsorted(self.frames[span], frame, side)) for side in ("left", "right"))
        faces = []
        for row in range(first, last):
            x0, y0, x1, y1, score = self.numbers[row].tolist()
            points: Any = None if self.landmarks is None else tuple(map(tuple, self.landmarks[row].tolist()))
            faces.append(Face((x0, y0, x1, y1), score, points, "given"))
        return faces


@functools.lru_cache(maxsize=1)
def load_boxes(pinned: Pinned) -> Boxes:
    """Read a file of boxes: columns path (of the video or image, below the root), frame (from 0; 0 for an image),
    x0, y0, x1, y1 in pixels of the frame, and, if it has them, score in [0, 1] and the ten LANDMARKS.

    Raises DfxError where it cannot be read, lacks a column, or holds a row that is no box; the file is held in memory,
    28 bytes a box and 68 with landmarks.
    """
    path = unchanged(pinned)
    table = _read(path.as_posix())
    missing = [name for name in _NEEDED if name not in table.column_names]
    partly = [name for name in LANDMARKS if name not in table.column_names]
    if 0 < len(partly) < len(LANDMARKS):
        missing += partly
    if missing:
        hint = "; separate columns by commas, not semicolons" if ";" in "".join(table.column_names) else ""
        raise DfxError(f"{path} has no column {', '.join(missing)}; a file of boxes needs {', '.join(_NEEDED)}{hint}")
    has_landmarks = not partly
    wanted = [*_NEEDED, *(["score"] if "score" in table.column_names else []), *(LANDMARKS if has_landmarks else ())]
    try:
        table = table.select(wanted).cast(pa.schema([(name, _TYPES[name]) for name in wanted]))
    except pa.ArrowInvalid as error:
        raise DfxError(f"{path} has a column that is no number ({line_of(error)}); correct it") from None
    if "score" not in table.column_names:
        table = table.append_column("score", pa.repeat(pa.scalar(1.0, pa.float32()), len(table)))
    _check(path.as_posix(), table)
    table = table.sort_by([("path", "ascending"), ("frame", "ascending")]).combine_chunks()
    numbers = np.column_stack([table[name].to_numpy() for name in (*_BOX, "score")]).reshape(-1, 5)
    points = (
        np.column_stack([table[name].to_numpy() for name in LANDMARKS]).reshape(-1, 5, 2) if has_landmarks else None
    )
    counts = table["path"].combine_chunks().value_counts()
    order = pc.sort_indices(counts.field("values"))
    names, sizes = counts.field("values").take(order).to_pylist(), counts.field("counts").take(order).to_numpy()
    ends = np.cumsum(sizes).tolist()
    spans = {name: slice(end - size, end) for name, end, size in zip(names, ends, sizes.tolist(), strict=True)}
    return Boxes(
        path.as_posix(),
        spans,
        table["frame"].to_numpy(),
        numbers,
        points if points is None else points.reshape(-1, 5, 2),
    )


def box_path(clip: Clip, frame: int) -> tuple[str, int]:
    """Under which path and number a file of boxes has a clip's frame; a member of an archive as `archive/member`."""
    path, number = (clip.paths[0], frame) if clip.media == "video" else (clip.paths[frame], 0)
    return (f"{clip.archive}/{path}" if clip.archive else path), number


def box_notes(boxes: Boxes, clips: Iterable[Clip]) -> list[str]:
    """What does not fit between a file of boxes and a tree, a line each. Raises DfxError where nothing fits."""
    listed: set[str] = set()
    bare: list[str] = []
    for clip in clips:
        paths = {box_path(clip, frame)[0] for frame in range(len(clip.paths))}
        listed.update(paths)
        if boxes.spans.keys().isdisjoint(paths):
            bare.append(clip.first)
    strangers = sorted(boxes.spans.keys() - listed)
    if len(strangers) == len(boxes.spans):
        raise DfxError(
            f"{boxes.where} has boxes for none of the clips (first path: {next(iter(strangers), 'none')}); its paths "
            "are relative to the root"
        )
    lines, name = [], PurePath(boxes.where).name  # a store moves, and its notes with it
    if strangers:
        lines.append(f"{name}: paths that are no file of a clip: {len(strangers):,} (first: {strangers[0]})")
    if bare:
        lines.append(f"{name}: clips without a box, which give no image: {len(bare):,} (first: {bare[0]})")
    return lines


def _read(path: str) -> pa.Table:
    try:
        if path.endswith(".parquet"):
            return pq.read_table(path)
        options = pyarrow.csv.ConvertOptions(column_types=_TYPES, strings_can_be_null=False)
        return pyarrow.csv.read_csv(path, convert_options=options)
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as error:
        raise DfxError(f"{path} is no CSV or Parquet file of boxes ({line_of(error)}); correct it") from None


def _check(path: str, table: pa.Table) -> None:
    x0, y0, x1, y1 = (table[name] for name in _BOX)
    sound = pc.and_(pc.greater(x1, x0), pc.greater(y1, y0))
    for name in table.column_names:
        if name != "path":
            sound = pc.and_(sound, pc.is_finite(pc.cast(table[name], pa.float32())))
    sound = pc.and_(sound, pc.greater_equal(table["frame"], 0))
    sound = pc.and_(sound, pc.and_(pc.greater_equal(table["score"], 0), pc.less_equal(table["score"], 1)))
    bad = pc.index(pc.fill_null(sound, False), False).as_py()
    if bad >= 0:
        row = table.slice(bad, 1).to_pylist()[0]
        raise DfxError(
            f"{path}: row {bad + 1} ({row['path']}, frame {row['frame']}) is no box: x1 > x0, y1 > y0, frame >= 0, "
            "score in [0, 1] and finite numbers are needed"
        )
