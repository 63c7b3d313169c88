"""All the work on one clip: its frames, the face in them, and the encoded images that go into a shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal, TypeVar, get_args

import cv2
import simplejpeg

from dataengine import nvdec
from dataengine.errors import DfxError, MediaError, printable
from dataengine.faces import Face, crop, detect_faces
from dataengine.media import images, video_file
from dataengine.place import Place
from dataengine.records import Box, Clip, ClipReport, FaceOrigin, Sample
from dataengine.tracks import follow
from dataengine.video import ImageFile, Pixels, count_frames, decode_frames, frames_within

Faces = Literal["largest", "none"]
Codec = Literal["jpeg", "png"]
Decoder = Literal["cpu", "nvdec"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractSettings:
    """What is taken from a clip and how it is stored. It enters a store's plan: other settings, another store."""

    frames: int = 32
    """Spread evenly over a whole video. An image clip gives every image."""
    faces: Faces = "largest"
    """One face through the clip (`tracks.py`), or whole frames; image files then keep their bytes."""
    margin: float = 1.3
    """Side of the crop over the longer side of the face box: the blending edge of a fake lies outside the box."""
    size: int = 256
    """Largest side of a stored crop in pixels; smaller crops are not enlarged."""
    min_face: int = 40
    """Smallest face in pixels of the detector's copy, whose long side is at most 640 px."""
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
                raise DfxError(f"{name} is '{value}'; it must be one of: {', '.join(get_args(known))}")
        bounds = (
            ("frames", self.frames, 1, 1_000_000),
            ("margin", self.margin, 0.5, 10),
            ("size", self.size, 16, 8192),
            ("min_face", self.min_face, 12, 640),
            ("detect_stride", self.detect_stride, 1, 64),
            ("quality", self.quality, 1, 100),
        )
        for name, number, least, most in bounds:
            if not least <= number <= most:
                raise DfxError(f"{name} is {number}; it must be between {least} and {most}")


def extract(clip: Clip, root: Place, settings: ExtractSettings) -> tuple[list[Sample], ClipReport]:
    """The samples of a clip whose files lie below `root`, in frame order, and what became of it.

    A pure function of the files and the settings, but for the report's `decode_s`. Bad media raise nothing: the clip
    is then reported as failed, with a reason of one line, and has no samples.
    """
    tally = _Tally()
    try:
        if settings.faces == "largest":
            samples = _face_samples(_pixels(clip, root, settings, tally), settings)
        elif clip.media == "images":
            samples = [_untouched(frame, image) for frame, image in tally.timed(_images(clip, root, tally))]
        else:
            samples = [_encoded(frame, rgb, settings) for frame, rgb in _pixels(clip, root, settings, tally)]
        if not samples:
            raise MediaError(f"no face found in {tally.found} frames" if tally.found else tally.loss(clip))
    except MediaError as error:
        # The file stands beside the reason already; without its name, equal reasons can be counted.
        return [], tally.report("failed", str(error).removeprefix(printable(f"{root / clip.first}: ")), [])
    reasons = [tally.loss(clip)]
    if len(samples) < tally.found:
        reasons.append(f"no face in {tally.found - len(samples)} of {tally.found} frames")
    return samples, tally.report("ok", "; ".join(filter(None, reasons)), samples)


@dataclass(slots=True)
class _Tally:
    """What is counted while a clip's frames are read."""

    asked: int = 0
    found: int = 0
    decode_s: float = 0.0
    unreadable: list[str] = field(default_factory=list)
    """What is wrong with each image file that was left out, as NAME: REASON, or REASON where the clip has one file."""

    def timed(self, frames: Iterator[T]) -> Iterator[T]:
        while True:
            start = perf_counter()
            frame = next(frames, None)
            self.decode_s += perf_counter() - start
            if frame is None:
                return
            self.found += 1
            yield frame

    def loss(self, clip: Clip) -> str:
        """Why fewer frames were found than asked for, "" where none is lost."""
        if self.found == self.asked:
            return ""
        if self.unreadable and len(clip.paths) == 1:
            return self.unreadable[0]
        why = self.unreadable[0] if self.unreadable else f"{clip.first} breaks off early"
        return f"{self.asked - self.found} of {self.asked} frames cannot be read: {why}"

    def report(self, status: Literal["ok", "failed"], reason: str, samples: list[Sample]) -> ClipReport:
        origins = Counter(sample.origin for sample in samples)
        num_faces = origins["detected"] + origins["tracked"] + origins["interpolated"]
        return ClipReport(
            status=status,
            reason=reason,
            frames_asked=self.asked,
            frames_found=self.found,
            faces_detected=origins["detected"],
            faces_tracked=origins["tracked"],
            faces_interpolated=origins["interpolated"],
            faces_missing=self.found - num_faces if num_faces else 0,
            decode_s=self.decode_s,
        )


def _pixels(clip: Clip, root: Place, settings: ExtractSettings, tally: _Tally) -> Iterator[tuple[int, Pixels]]:
    """The clip's frames as (index, RGB)."""
    if clip.media == "images":
        yield from tally.timed((frame, image.pixels()) for frame, image in _images(clip, root, tally))
        return
    with video_file(root, clip.paths[0]) as path:
        try:
            num_frames = count_frames(path)
            indices = frames_within(clip.ranges, num_frames, settings.frames)
            if not indices:
                raise MediaError(f"{path}: its {num_frames} frames end before those listed begin; replace the file")
            tally.asked = len(indices)
            decode = nvdec.decode_frames if settings.decoder == "nvdec" else decode_frames
            yield from tally.timed(decode(path, indices, num_frames=num_frames))
        except MediaError as error:
            # A copy's name tells nobody anything.
            raise MediaError(str(error).replace(printable(str(path)), str(root / clip.first))) from None


def _images(clip: Clip, root: Place, tally: _Tally) -> Iterator[tuple[int, ImageFile]]:
    tally.asked = len(clip.paths)
    for frame, image in images(root, clip):
        if isinstance(image, MediaError):
            # A store moves, so that the root's name means nothing in it; and equal reasons can be counted.
            name = f"{clip.archive}/{clip.paths[frame]}" if clip.archive else clip.paths[frame]
            reason = str(image).removeprefix(printable(f"{root / name}: "))
            tally.unreadable.append(reason if len(clip.paths) == 1 else f"{printable(name)}: {reason}")
        else:
            yield frame, image


def _face_samples(frames: Iterator[tuple[int, Pixels]], settings: ExtractSettings) -> list[Sample]:
    def detect(frame: tuple[int, Pixels]) -> list[Face]:
        return detect_faces(frame[1], min_face=settings.min_face)

    def cut(frame: tuple[int, Pixels], box: Box) -> tuple[int, Pixels, Box]:
        return frame[0], *crop(frame[1], box, margin=settings.margin, size=settings.size)

    followed = follow(frames, detect, cut, stride=settings.detect_stride)
    return [
        _encoded(index, rgb, settings, box=box, score=sighting.face.score, origin=sighting.origin)
        for sighting, (index, rgb, box) in followed
    ]


def _untouched(frame: int, image: ImageFile) -> Sample:
    return Sample(frame=frame, data=image.data, ext=image.ext, width=image.width, height=image.height)


def _encoded(
    frame: int,
    rgb: Pixels,
    settings: ExtractSettings,
    *,
    box: Box | None = None,
    score: float = 0.0,
    origin: FaceOrigin = "",
) -> Sample:
    if settings.codec == "jpeg":
        ext, data = "jpg", simplejpeg.encode_jpeg(rgb, settings.quality, "RGB", "444")
    else:
        ext, data = "png", cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()
    height, width = rgb.shape[:2]
    return Sample(frame=frame, data=data, ext=ext, width=width, height=height, box=box, score=score, origin=origin)
