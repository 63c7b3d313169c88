"""All the work on one clip: its frames, the face in them, and the encoded images that go into a shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Literal, TypeVar

import cv2
import simplejpeg

from dataengine import nvdec
from dataengine.errors import MediaError, printable
from dataengine.faces.crops import ClipFaces, FaceCrop, face_crops
from dataengine.media import images, video_file
from dataengine.place import Place
from dataengine.records import Clip, ClipReport, Sample
from dataengine.settings import ExtractSettings
from dataengine.video import ImageFile, Pixels, count_frames, decode_frames, frame_indices, frames_within

T = TypeVar("T")


def extract(clip: Clip, root: Place, settings: ExtractSettings) -> tuple[list[Sample], ClipReport]:
    """The samples of a clip whose files lie below `root`, in frame order, and what became of it.

    A pure function of the files and the settings, but for the report's `decode_s`. Bad media raise nothing: the clip
    is then reported as failed, with a reason of one line, and has no samples.
    """
    tally = _Tally()
    faces: ClipFaces[Sample] = ClipFaces()
    try:
        if settings.faces != "none":
            # Encoded at once: the pixels of thousands of crops would fill the memory.
            frames = _pixels(clip, root, settings, tally)
            faces = face_crops(frames, clip, settings, lambda crop: _encoded(0, crop, settings))
            samples = [_face_sample(entry) for entry in faces.crops]
        elif clip.media == "images":
            samples = [_untouched(frame, image) for frame, image in tally.timed(_images(clip, root, settings, tally))]
        else:
            samples = [_encoded(frame, rgb, settings) for frame, rgb in _pixels(clip, root, settings, tally)]
        if not tally.found:
            raise MediaError(tally.loss(clip))
    except MediaError as error:
        # The file stands beside the reason already; without its name, equal reasons can be counted.
        return [], tally.report("failed", str(error).removeprefix(printable(f"{root / clip.first}: ")))
    if not samples:
        return [], tally.report("failed", _no_face(faces, tally.found, settings), faces, settings)
    reasons = [tally.ends, tally.loss(clip)]
    if missing := tally.found - len({sample.frame for sample in samples}):
        reasons.append(f"no face in {missing} of {tally.found} frames")
    return samples, tally.report("ok", "; ".join(filter(None, reasons)), faces, settings)


def _no_face(faces: ClipFaces[Sample], num_frames: int, settings: ExtractSettings) -> str:
    if faces.left_out:
        return f"no face found that stays in {num_frames} frames"
    return f"no {'box' if settings.boxes else 'face'} found in {num_frames} frames"


@dataclass(slots=True)
class _Tally:
    """What is counted while a clip's frames are read."""

    asked: int = 0
    found: int = 0
    decode_s: float = 0.0
    ends: str = ""
    """Where the clip lists frames that its video does not have, how many there are of each."""
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

    def report(
        self,
        status: Literal["ok", "failed"],
        reason: str,
        faces: ClipFaces[Sample] | None = None,
        settings: ExtractSettings | None = None,
    ) -> ClipReport:
        """`faces` and `settings` where all frames were looked at."""
        counts = ClipReport(
            status=status, reason=reason, frames_asked=self.asked, frames_found=self.found, decode_s=self.decode_s
        )
        if faces is None or settings is None or not settings.looks_for_faces:
            return counts
        origins = Counter(entry.face.origin for entry in faces.crops)
        scores = [entry.face.score for entry in faces.crops if entry.face.origin in ("detected", "given")]
        with_face = len({entry.frame for entry in faces.crops})
        return replace(
            counts,
            frames_with_face=with_face,
            faces_detected=origins["detected"] + origins["given"],
            faces_tracked=origins["tracked"],
            faces_interpolated=origins["interpolated"],
            faces_missing=self.found - with_face,
            tracks_found=faces.tracks,
            tracks_left_out=faces.left_out,
            mean_score=sum(scores) / len(scores) if scores else None,
        )


def _pixels(clip: Clip, root: Place, settings: ExtractSettings, tally: _Tally) -> Iterator[tuple[int, Pixels]]:
    """The clip's frames as (index, RGB)."""
    if clip.media == "images":
        yield from tally.timed((frame, image.pixels()) for frame, image in _images(clip, root, settings, tally))
        return
    with video_file(root, clip.paths[0]) as path:
        try:
            num_frames = count_frames(path)
            indices = frames_within(clip.ranges, num_frames, settings.frames)
            if not indices:
                raise MediaError(f"{path}: its {num_frames} frames end before those listed begin; replace the file")
            tally.asked = len(indices)
            if clip.ranges and clip.ranges[-1][1] > num_frames:
                tally.ends = f"its frames end at {num_frames}, and are listed up to {clip.ranges[-1][1]}"
            decode = nvdec.decode_frames if settings.decoder == "nvdec" else decode_frames
            yield from tally.timed(decode(path, indices, num_frames=num_frames))
        except MediaError as error:
            # A copy's name tells nobody anything.
            raise MediaError(str(error).replace(printable(str(path)), str(root / clip.first))) from None


def _images(clip: Clip, root: Place, settings: ExtractSettings, tally: _Tally) -> Iterator[tuple[int, ImageFile]]:
    positions = frame_indices(len(clip.paths), settings.frames)
    tally.asked = len(positions)
    for frame, image in images(root, clip, positions):
        if isinstance(image, MediaError):
            # A store moves, so that the root's name means nothing in it; and equal reasons can be counted.
            name = f"{clip.archive}/{clip.paths[frame]}" if clip.archive else clip.paths[frame]
            reason = str(image).removeprefix(printable(f"{root / name}: "))
            tally.unreadable.append(reason if len(clip.paths) == 1 else f"{printable(name)}: {reason}")
        else:
            yield frame, image


def _untouched(frame: int, image: ImageFile) -> Sample:
    return Sample(frame=frame, data=image.data, ext=image.ext, width=image.width, height=image.height)


def _encoded(frame: int, rgb: Pixels, settings: ExtractSettings) -> Sample:
    if settings.codec == "jpeg":
        ext, data = "jpg", simplejpeg.encode_jpeg(rgb, settings.quality, "RGB", "444")
    else:
        ext, data = "png", cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()
    height, width = rgb.shape[:2]
    return Sample(frame=frame, data=data, ext=ext, width=width, height=height)


def _face_sample(of: FaceCrop[Sample]) -> Sample:
    return replace(of.image, frame=of.frame, face=of.number, box=of.box, score=of.face.score, origin=of.face.origin)
