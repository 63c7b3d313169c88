"""A clip's frames into crops of its faces: of one, of the largest of each frame, or of all that stay."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Generic, TypeVar

from dataengine.errors import DfxError
from dataengine.faces.align import align, usable
from dataengine.faces.boxes import box_notes, box_path, load_boxes
from dataengine.faces.detector import load_detector
from dataengine.faces.face import Face, centred, crop
from dataengine.faces.search import Search
from dataengine.faces.tracks import MAX_GAP, follow, seen_enough
from dataengine.records import Box, Clip
from dataengine.video import Pixels, frame_indices

if TYPE_CHECKING:
    from dataengine.settings import ExtractSettings

Frame = tuple[int, Pixels]
"""A frame's index in its clip, and its pixels."""

Kept = TypeVar("Kept")
"""What is kept of a crop."""


@dataclass(frozen=True, slots=True)
class FaceCrop(Generic[Kept]):
    """A face cut out of a frame."""

    frame: int
    number: int
    """Among the faces of its clip, 0 the largest; 0 unless all are taken."""
    face: Face
    image: Kept
    box: Box
    """The square that was cut out, in pixels of the frame."""


@dataclass(frozen=True, slots=True)
class ClipFaces(Generic[Kept]):
    """The faces of a clip."""

    crops: list[FaceCrop[Kept]] = field(default_factory=list)
    """By frame, then by number."""
    tracks: int = 0
    left_out: int = 0
    """Tracks that were seen in too few frames to be kept."""


def prepare(settings: ExtractSettings, clips: Sequence[Clip]) -> list[str]:
    """Load what finding faces needs, before any clip is read; what there is to say about it, a line each.

    Raises DfxError where the detector, its weights or the boxes cannot be had, or give no landmarks to align by.
    """
    if settings.faces == "none":
        return []
    if settings.boxes is not None:
        boxes = load_boxes(settings.boxes)
        if settings.align and boxes.landmarks is None:
            raise DfxError(f"{boxes.where} has no landmarks to align by; give their ten columns, or leave out --align")
        return box_notes(boxes, clips)
    if settings.detector != "none":
        detector = load_detector(settings.detector, settings.weights, settings.min_face)
        if settings.align and not detector.landmarks:
            raise DfxError(f"the detector '{settings.detector}' gives no landmarks to align by; leave out --align")
    return []


def face_crops(
    frames: Iterator[Frame], clip: Clip, settings: ExtractSettings, keep: Callable[[Pixels], Kept]
) -> ClipFaces[Kept]:
    """The faces of a clip's frames, as `settings` want them; without any where none was found.

    What `keep` makes of each crop is held for all of the clip's frames, so it had better be small.
    """

    def cut(frame: Frame, face: Face) -> tuple[int, Kept, Box]:
        if settings.align and face.landmarks is not None:
            image, box = align(frame[1], face.landmarks, margin=settings.margin, size=settings.size)
        else:
            image, box = crop(frame[1], face.box, margin=settings.margin, size=settings.size)
        return frame[0], keep(image), box

    looking = _looking(clip, settings)
    if settings.faces == "largest" or not looking.stride:
        crops = []
        for frame in frames:
            face = max(looking.detect(frame), key=lambda face: face.area, default=None)
            if face is not None:
                index, image, box = cut(frame, face)
                crops.append(FaceCrop(index, 0, face, image, box))
        return ClipFaces(crops)

    num_frames = 0

    def counted() -> Iterator[tuple[int, Frame]]:
        nonlocal num_frames
        for entry in placed(frames, clip, settings.frames):
            num_frames += 1
            yield entry

    tracks = follow(counted(), looking.detect, looking.near, cut, stride=looking.stride)
    kept = tracks[:1]
    left_out = 0
    if settings.faces == "all":
        kept = [track for track in tracks if seen_enough(len(track), num_frames)]
        left_out = len(tracks) - len(kept)
    crops = [
        FaceCrop(index, number, sighting.face, image, box)
        for number, track in enumerate(kept)
        for sighting, (index, image, box) in track
    ]
    return ClipFaces(sorted(crops, key=lambda entry: (entry.frame, entry.number)), len(tracks), left_out)


def placed(frames: Iterator[Frame], clip: Clip, most: int) -> Iterator[tuple[int, Frame]]:
    """Each of a clip's frames with its position, of the `most` that were sampled evenly: 0, 1, 2, ...

    Images that could not be read leave theirs out. What lies between two `ranges` of a video is not the clip's, however
    short it is, and leaves out more than a track bridges.
    """
    if clip.media == "images":
        position_of = {index: position for position, index in enumerate(frame_indices(len(clip.paths), most))}
        yield from ((position_of[frame[0]], frame) for frame in frames)
        return
    gaps = [start for (_, stop), (start, _) in pairwise(clip.ranges) if stop < start]
    for number, frame in enumerate(frames):
        yield number + (MAX_GAP + 1) * bisect_right(gaps, frame[0]), frame


def _nowhere(frame: Frame, expected: Sequence[Face]) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looking:
    """How a clip's faces are had."""

    detect: Callable[[Frame], Sequence[Face]]
    near: Callable[[Frame, Sequence[Face]], Sequence[Face] | None] = _nowhere
    stride: int
    """In every how many frames; 0: in each, and no tracks."""


def _looking(clip: Clip, settings: ExtractSettings) -> _Looking:
    if settings.boxes is not None:
        boxes = load_boxes(settings.boxes)

        def given(frame: Frame) -> list[Face]:
            height, width = frame[1].shape[:2]
            found = (face.placed(1, 0, 0, width, height) for face in boxes.faces(*box_path(clip, frame[0])))
            return [
                face
                for face in found
                if face is not None
                and face.score >= settings.min_score
                and (usable(face.landmarks) or not settings.align)
            ]

        return _Looking(detect=given, stride=1)
    if settings.detector == "none":
        return _Looking(detect=lambda frame: [centred(frame[1].shape[1], frame[1].shape[0])], stride=0)
    search = Search(
        detector=load_detector(settings.detector, settings.weights, settings.min_face),
        min_face=settings.min_face,
        min_score=settings.min_score,
        align=settings.align,
    )
    return _Looking(
        detect=lambda frame: search.whole(frame[1]),
        near=lambda frame, expected: search.near(frame[1], expected),
        stride=settings.detect_stride,
    )
