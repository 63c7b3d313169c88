"""What is taken from a clip and how it is stored: the settings of an extraction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from dataengine.errors import DfxError
from dataengine.faces.detector import check_detector
from dataengine.faces.pinned import Pinned

Faces = Literal["track", "largest", "all", "none"]
Codec = Literal["jpeg", "png"]
Decoder = Literal["cpu", "nvdec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractSettings:
    """What is taken from a clip and how it is stored. It enters a store's plan: other settings, another store."""

    frames: int = 32
    """The most that a clip gives, spread evenly over all of it, be it a video or images."""
    faces: Faces = "track"
    """track: one face through the clip; largest: the largest of each frame, whoever it is; all: every face that stays;
    none: whole frames, and image files keep their bytes. See `faces/tracks.py`."""
    detector: str = "mtcnn"
    """One of `faces.detector.DETECTORS`, or a class by its import path, `package.module:Class`."""
    weights: Pinned | None = None
    """The detector's, where they are not its own."""
    boxes: Pinned | None = None
    """A file of boxes (`faces/boxes.py`); no detector is then asked, and none may be named."""
    align: bool = False
    """Turn and scale faces by their five landmarks, instead of cutting an upright square around the box."""
    margin: float = 1.3
    """Side of the crop over the longer side of the face box: the blending edge of a fake lies outside the box."""
    size: int = 256
    """Largest side of a stored crop in pixels; smaller crops are not enlarged."""
    min_face: int = 40
    """Longer side of the smallest face in pixels of the detector's copy, whose long side is at most 640 px."""
    min_score: float = 0.0
    """Detections with a lower score are not used; 0 is whatever the detector names at all."""
    detect_stride: int = 4
    """Detect in every so many sampled frames, and in all of them where a track does not hold."""
    codec: Codec = "jpeg"
    quality: int = 95
    """JPEG quality, always with 4:4:4 chroma: forensic traces are the signal."""
    decoder: Decoder = "cpu"
    """Of videos; nvdec is a GPU's (`nvdec.py`). Their pixels differ slightly."""

    def __post_init__(self) -> None:
        for name, value, known in (
            ("faces", self.faces, Faces),
            ("codec", self.codec, Codec),
            ("decoder", self.decoder, Decoder),
        ):
            if value not in get_args(known):
                raise DfxError(f"{_option(name)} is '{value}'; it must be one of: {', '.join(get_args(known))}")
        bounds = (
            ("frames", self.frames, 1, 1_000_000),
            ("margin", self.margin, 0.5, 10),
            ("size", self.size, 16, 8192),
            ("min_face", self.min_face, 12, 640),
            ("min_score", self.min_score, 0, 1),
            ("detect_stride", self.detect_stride, 1, 64),
            ("quality", self.quality, 1, 100),
        )
        for name, number, least, most in bounds:
            if not least <= number <= most:
                raise DfxError(f"{_option(name)} is {number}; it must be between {least} and {most}")
        check_detector(self.detector)
        if self.weights is not None and self.detector in ("mtcnn", "none"):
            raise DfxError(f"the detector '{self.detector}' takes no weights; leave out --detector-weights")
        if self.boxes is not None and (self.weights is not None or self.detector != "mtcnn"):
            raise DfxError("--boxes are used instead of a detector; leave them out, or --detector and its weights")
        if self.boxes is not None and self.faces == "none":
            raise DfxError(
                "--boxes say what to cut out, and --faces none cuts nothing; leave one out, or name --faces track"
            )
        if self.align and not self.looks_for_faces:
            gone = "--faces none" if self.faces == "none" else "--detector none"
            raise DfxError(f"--align: nothing gives landmarks to align by with {gone}; leave out one of the two")

    @property
    def looks_for_faces(self) -> bool:
        """Whether a frame can be without one."""
        return self.faces != "none" and (self.boxes is not None or self.detector != "none")


def _option(name: str) -> str:
    """A setting as `dfx shard` calls it."""
    return "--jpeg-quality" if name == "quality" else f"--{name.replace('_', '-')}"
