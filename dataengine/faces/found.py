"""How often a face was found: a detector that finds fewer of them in fakes than in reals is a bias to know of."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

_BY = ["dataset", "method", "split", "label"]
_WITH_FACE = ("faces_detected", "faces_tracked", "faces_interpolated")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceShare:
    """The frames of one dataset's clips of one method in one split."""

    dataset: str
    method: str
    split: str
    label: int
    frames: int
    """That could be decoded."""
    with_face: int
    """Of them, with the clip's face: detected, tracked, or interpolated between two detections."""
    share: float
    """with_face / frames, in [0, 1]."""


def faces_found(clips: pa.Table) -> list[FaceShare]:
    """The share of frames with a face, by method and split; `clips` has CLIPS_SCHEMA's columns.

    What has no decoded frames is left out.
    """
    found = pc.add(pc.add(clips[_WITH_FACE[0]], clips[_WITH_FACE[1]]), clips[_WITH_FACE[2]])
    table = clips.select([*_BY, "frames_found"]).append_column("with_face", found)
    sums = (
        table.group_by(_BY)
        .aggregate([("frames_found", "sum"), ("with_face", "sum")])
        .sort_by([(name, "ascending") for name in _BY])
    )
    return [
        FaceShare(
            **{name: row[name] for name in _BY},
            frames=row["frames_found_sum"],
            with_face=row["with_face_sum"],
            share=row["with_face_sum"] / row["frames_found_sum"],
        )
        for row in sums.to_pylist()
        if row["frames_found_sum"]
    ]
