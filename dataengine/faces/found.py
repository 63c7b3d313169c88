"""In how many frames a face was found, by method and split: a detector that finds fewer in fakes gives them away."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dataengine.records import SPLITS

_WITH_FACE = ("faces_detected", "faces_tracked", "faces_interpolated")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceShare:
    """The faces found in the clips of one method and split."""

    method: str
    split: str
    clips: int
    frames_looked: int
    frames_with_face: int

    @property
    def share(self) -> float:
        """In [0, 1]: of the frames looked at, those with a face."""
        return self.frames_with_face / self.frames_looked


def faces_found(clips: pa.Table) -> list[FaceShare]:
    """What `clips` (CLIPS_SCHEMA) say of the faces found, by method, real first, and split. Empty where none was looked
    for."""
    found = pc.add(pc.add(clips[_WITH_FACE[0]], clips[_WITH_FACE[1]]), clips[_WITH_FACE[2]])
    looked = pc.add(found, clips["faces_missing"])
    table = pa.table({"method": clips["method"], "split": clips["split"], "found": found, "looked": looked})
    counts = (
        table.filter(pc.greater(looked, 0))
        .group_by(["method", "split"])
        .aggregate([("found", "count"), ("found", "sum"), ("looked", "sum")])
    )
    shares = [
        FaceShare(
            method=row["method"],
            split=row["split"],
            clips=row["found_count"],
            frames_looked=row["looked_sum"],
            frames_with_face=row["found_sum"],
        )
        for row in counts.to_pylist()
    ]
    return sorted(shares, key=lambda share: (share.method != "real", share.method, SPLITS.index(share.split)))
