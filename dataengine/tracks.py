"""One face through a clip: faces found in sampled frames are linked into tracks, and one track is the clip's.

The clip's track is the one with the largest sum of its boxes' areas over its frames: large and persistent at once, so
that neither a passer-by close to the camera nor a small face in the background for the whole clip wins. Who a face is
enters nowhere: tracks are linked by overlap alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dataengine.faces import Face
from dataengine.records import Box, FaceOrigin

MAX_GAP = 2
"""Sampled frames in a row without a face that are bridged; a longer gap is left out, though the track may go on."""

LINK_IOU = 0.3
"""The least overlap that takes a face for the track's. Sampled frames are some 0.4 s apart, and in that time a head may
move by half its width."""

HOLD_IOU = 0.5
"""The least overlap between two detections for the frames between not to be looked at."""

MAX_FACES = 8
"""The largest faces of a frame that are followed: a crowd would fill the memory with crops nobody asked for."""

Frame = TypeVar("Frame")
Crop = TypeVar("Crop")


@dataclass(frozen=True, slots=True)
class Sighting:
    """A track's face in one sampled frame."""

    position: int
    """Of the frame among the sampled ones, from 0."""
    face: Face
    """Where it was not detected: the box interpolated, the score the lower of the two neighbours'."""
    origin: FaceOrigin


class Tracks:
    """The tracks of a clip, built from its frames' faces in order. No image enters."""

    def __init__(self) -> None:
        self.tracks: list[list[Sighting]] = []

    def add(self, position: int, faces: Sequence[Face], origin: FaceOrigin) -> list[tuple[int, Sighting]]:
        """Link the faces of the frame at `position` to the tracks, or begin new ones.

        Returns all the sightings this settles as (track, sighting): those of this frame, and those that bridge a
        track's gap of up to MAX_GAP frames before it.
        """
        linked = {j: i for i, j in link([track[-1].face for track in self.tracks], faces, LINK_IOU)}
        settled: list[tuple[int, Sighting]] = []
        for j, face in enumerate(faces):
            number = linked.get(j, len(self.tracks))
            sightings = [Sighting(position, face, origin)]
            if j in linked:
                last = self.tracks[number][-1]
                gap = position - last.position - 1
                if 0 < gap <= MAX_GAP:
                    bridge = zip(range(last.position + 1, position), between(last.face, face, gap), strict=True)
                    sightings = [*(Sighting(p, f, "interpolated") for p, f in bridge), *sightings]
            else:
                self.tracks.append([])
            self.tracks[number].extend(sightings)
            settled.extend((number, sighting) for sighting in sightings)
        return settled

    def largest(self) -> int | None:
        """The track with the largest sum of areas, the earlier of equals; None where there is none."""
        areas = [sum(sighting.face.area for sighting in track) for track in self.tracks]
        return areas.index(max(areas)) if areas else None


def follow(
    frames: Iterable[Frame],
    detect: Callable[[Frame], Sequence[Face]],
    crop: Callable[[Frame, Box], Crop],
    *,
    stride: int,
) -> list[tuple[Sighting, Crop]]:
    """The clip's face: each of its sightings in order, with its crop. Empty where no face was found.

    `detect` looks at every `stride`-th frame and the last. Where each face of one such frame overlaps with one of the
    next and the other way round, the frames between get boxes on the straight line ("tracked"); where not, they are
    looked at too. At most `stride` + MAX_GAP frames are held at a time, and the crops of every track.
    """
    tracks = Tracks()
    crops: dict[tuple[int, int], Crop] = {}
    window: dict[int, Frame] = {}

    def find(frame: Frame) -> Sequence[Face]:
        return sorted(detect(frame), key=lambda face: -face.area)[:MAX_FACES]

    def settle(position: int, faces: Sequence[Face], origin: FaceOrigin) -> None:
        for number, sighting in tracks.add(position, faces, origin):
            crops[number, sighting.position] = crop(window[sighting.position], sighting.face.box)

    known: Sequence[Face] = ()
    for run in _runs(frames, stride, window):
        *skipped, end = run
        found = find(window[end])
        paths = held(known, found, len(skipped))
        for k, position in enumerate(skipped):
            if paths:
                settle(position, [path[k] for path in paths], "tracked")
            else:
                settle(position, find(window[position]), "detected")
        settle(end, found, "detected")
        known = found
        for position in [position for position in window if position <= end - MAX_GAP]:
            del window[position]

    chosen = tracks.largest()
    if chosen is None:
        return []
    return [(sighting, crops[chosen, sighting.position]) for sighting in tracks.tracks[chosen]]


def link(before: Sequence[Face], after: Sequence[Face], least: float) -> list[tuple[int, int]]:
    """Pairs (i, j) of faces that overlap by at least `least`, each used once, the largest overlap first."""
    overlaps = [(iou(a.box, b.box), i, j) for i, a in enumerate(before) for j, b in enumerate(after)]
    pairs: dict[int, int] = {}
    for overlap, i, j in sorted(overlaps, key=lambda entry: (-entry[0], *entry[1:])):
        if overlap >= least and i not in pairs and j not in pairs.values():
            pairs[i] = j
    return sorted(pairs.items())


def held(before: Sequence[Face], after: Sequence[Face], num_between: int) -> list[list[Face]]:
    """For each face its `num_between` boxes between two detections; empty where the two do not show the same faces.

    Two frames without a face show nothing that could hold: then what lies between has to be looked at.
    """
    pairs = link(before, after, HOLD_IOU)
    if not len(before) == len(after) == len(pairs):
        return []
    return [between(before[i], after[j], num_between) for i, j in pairs]


def between(before: Face, after: Face, count: int) -> list[Face]:
    """`count` faces evenly spaced on the straight line between two, with the lower of their scores."""
    faces = []
    for k in range(1, count + 1):
        share = k / (count + 1)
        x0, y0, x1, y1 = (a + share * (b - a) for a, b in zip(before.box, after.box, strict=True))
        faces.append(Face((x0, y0, x1, y1), min(before.score, after.score)))
    return faces


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def _runs(frames: Iterable[Frame], stride: int, window: dict[int, Frame]) -> Iterator[range]:
    """Put frames into `window` and yield their positions in runs: the last of each run is one to look at."""
    start = position = 0
    for position, frame in enumerate(frames):
        window[position] = frame
        if position % stride == 0:
            yield range(start, position + 1)
            start = position + 1
    if start <= position and window:
        yield range(start, position + 1)
