"""In how many frames a face was found, by method and split: a detector that finds fewer in fakes gives them away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import mannwhitneyu

from dataengine.records import SPLITS

LEVEL = 0.01
"""Real and fake differ where so rarely as that, or more rarely, chance alone would set them as far apart."""

_COUNTS = ("frames_with_face", "faces_missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceShare:
    """The faces found in the clips of one method and split."""

    method: str
    split: str
    clips: int
    """Of which all frames were looked at; those that cannot be read, and whole frames, are not among them."""
    frames_looked: int
    frames_with_face: int

    @property
    def share(self) -> float:
        """In [0, 1]: of the frames looked at, those with a face."""
        return self.frames_with_face / self.frames_looked


def faces_found(clips: pa.Table) -> list[FaceShare]:
    """What `clips` (CLIPS_SCHEMA) say of the faces found, by method, real first, and split. Empty where none was looked
    for."""
    counted = (
        _looked_at(clips)
        .group_by(["method", "split"])
        .aggregate([("frames_with_face", "count"), *((name, "sum") for name in _COUNTS)])
    )
    shares = [
        FaceShare(
            method=row["method"],
            split=row["split"],
            clips=row["frames_with_face_count"],
            frames_looked=row["frames_with_face_sum"] + row["faces_missing_sum"],
            frames_with_face=row["frames_with_face_sum"],
        )
        for row in counted.to_pylist()
    ]
    return sorted(shares, key=lambda share: (share.method != "real", share.method, SPLITS.index(share.split)))


def face_bias(clips: pa.Table) -> str | None:
    """A line where the shares of frames with a face differ between real and fake by more than chance, None elsewhere.

    Frames of a clip are alike, and so are clips of a person. So each target identity (a clip without one stands for
    itself) gives one share for its reals and one for its fakes, and the two sets are compared by a two-sided
    Mann-Whitney U test, corrected for ties (Mann and Whitney, 1947): it asks nothing of how shares are spread, and most
    are 1. The identities that are both real and fake are not paired, which makes the test the more careful.
    """
    real, fake = (_shares(clips, label) for label in (0, 1))
    if not len(real) or not len(fake) or (real.min() == real.max() == fake.min() == fake.max()):
        return None
    p = float(mannwhitneyu(real, fake, alternative="two-sided").pvalue)
    if not p < LEVEL:
        return None
    means = f"{real.mean():.1%} of a real person's frames, {fake.mean():.1%} of a fake's"
    return f"a face was found in {means} (Mann-Whitney U, p = {p:.1g}): the detector tells real from fake by itself"


def _looked_at(clips: pa.Table) -> pa.Table:
    total = pc.add(pc.fill_null(clips["frames_with_face"], 0), pc.fill_null(clips["faces_missing"], 0))
    return clips.filter(pc.greater(total, 0))


def _shares(clips: pa.Table, label: int) -> npt.NDArray[np.float64]:
    """Of each identity of a label, the share of its frames with a face."""
    chosen = _looked_at(clips.filter(pc.equal(clips["label"], label)))
    who = pc.if_else(pc.equal(chosen["target_id"], ""), chosen["clip"], chosen["target_id"])
    grouped = (
        pa.table({"who": who, **{name: chosen[name] for name in _COUNTS}})
        .group_by("who")
        .aggregate([(name, "sum") for name in _COUNTS])
    )
    found, missing = (grouped[f"{name}_sum"].to_numpy() for name in _COUNTS)
    return cast(npt.NDArray[np.float64], found / (found + missing))
