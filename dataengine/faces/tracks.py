"""Faces through a clip: what is found in sampled frames is linked into tracks.

Tracks stand in the order of the sum of their boxes' areas over their frames: large and persistent at once, so that
neither a passer-by close to the camera nor a small face in the background for the whole clip comes first. Who a face is
enters nowhere: tracks are linked by overlap, and by continuity where a head moves too fast to overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dataengine.faces.face import Face, Landmarks
from dataengine.records import Box, FaceOrigin

MAX_GAP = 2
"""Sampled frames in a row without a face that are bridged; a longer gap is left out, though the track may go on where a
later face overlaps with its last."""

LINK_IOU = 0.3
"""The least overlap that takes a face for the track's. Sampled frames are some 0.4 s apart, and in that time a head may
move by half its width."""

REACH = 1.0
"""How far, in longer sides of its box, a head may have moved from one sampled frame to the next for a face that does
not overlap to be taken for the track's; it must then be the only one. Two people side by side are further apart."""

REACH_SIZES = 1.5
"""The most that the two boxes' longer sides may then differ, as a ratio."""

HOLD_IOU = 0.5
"""The least overlap between two detections for the frames between not to be looked at."""

MAX_FACES = 8
"""The largest faces of a frame that are followed: a crowd would fill the memory with crops nobody asked for."""

MIN_SHARE = 0.1
"""Where every track is kept, the least share of a clip's frames that it is seen in: of 32 frames 4. A detector's false
alarm seldom comes again at the same place 0.4 s later, and a passer-by tells nothing about the clip."""

Frame = TypeVar("Frame")
Crop = TypeVar("Crop")


@dataclass(frozen=True, slots=True)
class Sighting:
    """A track's face in one sampled frame."""

    position: int
    """Of the frame: see `follow`."""
    face: Face


class Tracks:
    """The tracks of a clip, built from its frames' faces in order. No image enters."""

    def __init__(self) -> None:
        self.tracks: list[list[Sighting]] = []
        self._there: set[int] = set()

    def add(self, position: int, faces: Sequence[Face]) -> list[tuple[int, Sighting]]:
        """Link the faces of the frame at `position` to the tracks, or begin new ones.

        Returns all the sightings this settles as (track, sighting): those of this frame, and those that bridge a
        track's gap of up to MAX_GAP positions before it, at each that a frame was added for.
        """
        self._there.add(position)
        linked = self._linked(position, faces)
        settled: list[tuple[int, Sighting]] = []
        for j, face in enumerate(faces):
            number = linked.get(j, len(self.tracks))
            sightings = [Sighting(position, face)]
            if j in linked:
                last = self.tracks[number][-1]
                gap = position - last.position - 1
                if 0 < gap <= MAX_GAP:
                    bridge = between(last.face, face, gap, "interpolated")
                    places = range(last.position + 1, position)
                    seen = [Sighting(p, f) for p, f in zip(places, bridge, strict=True) if p in self._there]
                    sightings = [*seen, *sightings]
            else:
                self.tracks.append([])
            self.tracks[number].extend(sightings)
            settled.extend((number, sighting) for sighting in sightings)
        return settled

    def _linked(self, position: int, faces: Sequence[Face]) -> dict[int, int]:
        """Face -> track."""
        ends = [track[-1] for track in self.tracks]
        linked = {j: i for i, j in link([end.face for end in ends], faces, LINK_IOU)}
        taken = set(linked.values())
        lost = [i for i, end in enumerate(ends) if end.position == position - 1 and i not in taken]
        new = [j for j in range(len(faces)) if j not in linked]
        for i, j in follow_on([ends[i].face for i in lost], [faces[j] for j in new]):
            linked[new[j]] = lost[i]
        return linked

    def ordered(self) -> list[int]:
        """The tracks' numbers by the sum of their areas, the largest first, the earlier of equals first."""
        areas = [sum(sighting.face.area for sighting in track) for track in self.tracks]
        return sorted(range(len(areas)), key=lambda number: -areas[number])


def follow(
    frames: Iterable[tuple[int, Frame]],
    detect: Callable[[Frame], Sequence[Face]],
    near: Callable[[Frame, Sequence[Face]], Sequence[Face] | None],
    crop: Callable[[Frame, Face], Crop],
    *,
    stride: int,
) -> list[list[tuple[Sighting, Crop]]]:
    """The clip's tracks, the first the largest: each of its sightings in order, with its crop.

    `frames` come with their positions, ascending: one is a sampling step, and where positions are left out, that much
    of the clip is not there. `detect` looks at every `stride`-th frame and the last, and so on both sides of what is
    not there. Where each face of one such frame overlaps with one of the
    next and the other way round, the frames between get boxes on the straight line ("tracked"); where not, they are
    looked at too: first `near` where the faces should be, and in full where that gives None, for a face is missing.
    At most `stride` + MAX_GAP frames are held at a time, and the crops of every track.
    """
    tracks = Tracks()
    crops: dict[tuple[int, int], Crop] = {}
    window: dict[int, Frame] = {}

    def settle(position: int, faces: Sequence[Face]) -> Sequence[Face]:
        faces = sorted(faces, key=lambda face: -face.area)[:MAX_FACES]
        for number, sighting in tracks.add(position, faces):
            crops[number, sighting.position] = crop(window[sighting.position], sighting.face)
        return faces

    known: Sequence[Face] = ()
    for run in _runs(frames, stride, window):
        *skipped, end = run
        found = sorted(detect(window[end]), key=lambda face: -face.area)[:MAX_FACES]
        paths = held(known, found, len(skipped))
        for k, position in enumerate(skipped):
            if paths:
                settle(position, [path[k] for path in paths])
                continue
            faces = near(window[position], expected(known, found, len(skipped) - k))
            known = settle(position, detect(window[position]) if faces is None else faces)
        known = settle(end, found)
        for position in [position for position in window if position <= end - MAX_GAP]:
            del window[position]
    return [
        [(sighting, crops[number, sighting.position]) for sighting in tracks.tracks[number]]
        for number in tracks.ordered()
    ]


def seen_enough(num_sightings: int, num_frames: int) -> bool:
    """Whether a track is kept where all are: it is seen in MIN_SHARE of the clip's frames."""
    return num_sightings >= MIN_SHARE * num_frames


def link(before: Sequence[Face], after: Sequence[Face], least: float) -> list[tuple[int, int]]:
    """Pairs (i, j) of faces that overlap by at least `least`, each used once, the largest overlap first."""
    overlaps = [(iou(a.box, b.box), i, j) for i, a in enumerate(before) for j, b in enumerate(after)]
    pairs: dict[int, int] = {}
    for overlap, i, j in sorted(overlaps, key=lambda entry: (-entry[0], *entry[1:])):
        if overlap >= least and i not in pairs and j not in pairs.values():
            pairs[i] = j
    return sorted(pairs.items())


def follow_on(before: Sequence[Face], after: Sequence[Face]) -> list[tuple[int, int]]:
    """Pairs (i, j) of faces of which each is the only one within the other's reach (REACH, REACH_SIZES)."""
    near = [(i, j) for i, a in enumerate(before) for j, b in enumerate(after) if _within_reach(a, b)]
    return [
        (i, j) for i, j in near if sum(i == other for other, _ in near) == sum(j == other for _, other in near) == 1
    ]


def _within_reach(a: Face, b: Face) -> bool:
    small, large = sorted((a.side, b.side))
    return large <= REACH_SIZES * small and math.dist(a.centre, b.centre) <= REACH * large


def held(before: Sequence[Face], after: Sequence[Face], num_between: int) -> list[list[Face]]:
    """For each face its `num_between` boxes between two detections; empty where the two do not show the same faces.

    Two frames without a face show nothing that could hold: then what lies between has to be looked at.
    """
    pairs = link(before, after, HOLD_IOU)
    if not len(before) == len(after) == len(pairs):
        return []
    return [between(before[i], after[j], num_between, "tracked") for i, j in pairs]


def expected(before: Sequence[Face], after: Sequence[Face], num_between: int) -> list[Face]:
    """Where the faces of two frames should be in the first of the `num_between` frames between them.

    A face that only one of the two shows is expected where it is there.
    """
    pairs = link(before, after, 0.0)
    left, right = {i for i, _ in pairs}, {j for _, j in pairs}
    return [
        *(between(before[i], after[j], num_between, "tracked")[0] for i, j in pairs),
        *(face for i, face in enumerate(before) if i not in left),
        *(face for j, face in enumerate(after) if j not in right),
    ]


def between(before: Face, after: Face, count: int, origin: FaceOrigin) -> list[Face]:
    """`count` faces evenly spaced on the straight line between two, with the lower of their scores."""
    return [interpolated(before, after, k / (count + 1), origin) for k in range(1, count + 1)]


def interpolated(before: Face, after: Face, share: float, origin: FaceOrigin) -> Face:
    """The face at `share` in [0, 1] of the straight line between two; its landmarks too where both have them."""
    x0, y0, x1, y1 = (a + share * (b - a) for a, b in zip(before.box, after.box, strict=True))
    landmarks: Landmarks | None = None
    if before.landmarks is not None and after.landmarks is not None:
        points = zip(before.landmarks, after.landmarks, strict=True)
        a, b, c, d, e = ((p[0] + share * (q[0] - p[0]), p[1] + share * (q[1] - p[1])) for p, q in points)
        landmarks = (a, b, c, d, e)
    return Face((x0, y0, x1, y1), min(before.score, after.score), landmarks, origin)


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def _runs(frames: Iterable[tuple[int, Frame]], stride: int, window: dict[int, Frame]) -> Iterator[range]:
    """Put frames into `window` and yield their positions in runs: the last of each run is one to look at."""
    first = start = end = 0
    for position, frame in frames:
        if position != end:  # what lies before ends as a clip does, and a straight line crosses nothing
            if start < end:
                yield range(start, end)
            first = start = position
        window[position] = frame
        end = position + 1
        if (position - first) % stride == 0:
            yield range(start, end)
            start = end
    if start < end:
        yield range(start, end)
