from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.faces.face import Face
from dataengine.faces.tracks import (
    HOLD_IOU,
    MAX_FACES,
    MAX_GAP,
    Sighting,
    Tracks,
    between,
    follow,
    iou,
    link,
    seen_enough,
)

Spots = Sequence[Sequence[Face]]


def face(x: float, *, side: float = 100, score: float = 0.9) -> Face:
    return Face((x, 50, x + side, 50 + side), score)


def nowhere(frame: object, expected: Sequence[Face]) -> None:
    """A search that leaves it to the whole frame."""


def track(spots: Spots, *, stride: int, there: Sequence[int] | None = None) -> tuple[list[Sighting], list[int]]:
    """The largest track over frames that hold the faces `spots`, and the positions that were looked at; of the
    positions `there` alone."""
    looked: list[int] = []

    def detect(position: int) -> Sequence[Face]:
        looked.append(position)
        return spots[position]

    frames = [(position, position) for position in (range(len(spots)) if there is None else there)]
    tracks = follow(frames, detect, nowhere, lambda position, face: (position, face), stride=stride)
    assert all(crop == (sighting.position, sighting.face) for track in tracks for sighting, crop in track)
    return [sighting for sighting, _ in tracks[0]] if tracks else [], looked


def origins(sightings: Sequence[Sighting]) -> list[tuple[int, str]]:
    return [(sighting.position, sighting.face.origin) for sighting in sightings]


faces = st.builds(
    lambda x, side, score: face(x, side=side, score=score),
    st.integers(0, 300).map(float),
    st.integers(20, 120).map(float),
    st.floats(0.7, 1.0),
)
clips = st.lists(st.lists(faces, max_size=3), max_size=20)


def test_the_smaller_short_lived_face_is_not_chosen() -> None:
    large, small = face(0), face(400, side=60)
    spots = [[small, large] if 3 <= p < 9 else [large] for p in range(12)]
    chosen, _ = track(spots, stride=4)
    assert [sighting.position for sighting in chosen] == list(range(12))
    assert {sighting.face.box for sighting in chosen} == {large.box}


def test_a_large_face_for_a_moment_loses_to_one_that_stays() -> None:
    passing, staying = face(400, side=180), face(0)
    spots = [[passing, staying] if p < 2 else [staying] for p in range(12)]
    assert {sighting.face.box for sighting in track(spots, stride=1)[0]} == {staying.box}


@pytest.mark.parametrize("stride", [1, 4])
def test_a_gap_of_two_is_interpolated_and_one_of_three_left_out(stride: int) -> None:
    spots = [[] if p in (3, 4, 8, 9, 10) else [face(2.0 * p, score=0.9 if p < 5 else 0.8)] for p in range(14)]
    chosen, _ = track(spots, stride=stride)
    got = dict(origins(chosen))
    assert [p for p in got if got[p] == "interpolated"] == [3, 4]
    assert not {8, 9, 10} & got.keys()
    assert set(got) == set(range(14)) - {8, 9, 10}
    bridged = [sighting.face for sighting in chosen if sighting.face.origin == "interpolated"]
    assert [round(f.box[0], 6) for f in bridged] == [6, 8]
    assert {f.score for f in bridged} == {0.8}


def test_where_the_track_holds_only_every_fourth_frame_and_the_last_are_looked_at() -> None:
    chosen, looked = track([[face(float(p))] for p in range(11)], stride=4)
    assert looked == [0, 4, 8, 10]
    assert [p for p, origin in origins(chosen) if origin == "detected"] == looked
    assert {origin for p, origin in origins(chosen) if p not in looked} == {"tracked"}
    assert [sighting.face.box[0] for sighting in chosen] == pytest.approx(range(11))


@pytest.mark.parametrize(
    "spots",
    [
        [[face(0)], [face(30)], [face(60)], [face(90)], [face(120)]],  # too far for a straight line
        [[face(0)], [face(0)], [face(0)], [face(0), face(300)], [face(0), face(300)]],  # another comes
        [[face(0), face(300)], [face(0)], [face(0)], [face(0)], [face(0)]],  # another goes
        [[], [], [face(0)], [], []],  # none at both ends
    ],
)
def test_where_the_track_does_not_hold_every_frame_is_looked_at(spots: Spots) -> None:
    chosen, looked = track(spots, stride=4)
    assert sorted(looked) == [0, 1, 2, 3, 4]
    assert "tracked" not in {origin for _, origin in origins(chosen)}


def test_no_face_gives_no_track() -> None:
    assert track([[]] * 9, stride=4) == ([], [0, 4, 1, 2, 3, 8, 5, 6, 7])
    assert track([], stride=4) == ([], [])


@given(clips, st.integers(1, 5))
def test_a_track_has_each_frame_once_and_no_short_gap(spots: Spots, stride: int) -> None:
    chosen, looked = track(spots, stride=stride)
    positions = [sighting.position for sighting in chosen]
    assert positions == sorted(set(positions))
    assert all(b - a == 1 or b - a > MAX_GAP + 1 for a, b in itertools.pairwise(positions))
    assert len(looked) == len(set(looked))
    for sighting in chosen:
        if sighting.face.origin == "detected":
            assert sighting.face in spots[sighting.position]
        assert (sighting.position in looked) or sighting.face.origin == "tracked"
    assert bool(chosen) == any(spots[position] for position in looked)


@given(clips, st.integers(1, 5), st.integers(0, 2**20 - 1))
def test_looking_near_changes_no_track_where_it_finds_what_the_whole_frame_shows(spots, stride, answers) -> None:
    def near(position: int, expected: Sequence[Face]) -> Sequence[Face] | None:
        return spots[position] if answers >> position & 1 else None

    whole, part = (
        follow(enumerate(range(len(spots))), lambda p: spots[p], search, lambda position, _: position, stride=stride)
        for search in (nowhere, near)
    )
    assert part == whole


@given(clips, st.integers(1, 5), st.data())
def test_what_is_not_there_is_never_crossed_by_more_than_a_bridge(
    spots: Spots, stride: int, data: st.DataObject
) -> None:
    there = sorted(data.draw(st.sets(st.sampled_from(range(len(spots)))))) if spots else []
    chosen, looked = track(spots, stride=stride, there=there)
    assert {sighting.position for sighting in chosen} <= set(there)
    for position in there:
        if {position - 1, position + 1} - set(there):
            assert position in looked
    for before, after in itertools.pairwise(s for s in chosen if s.face.origin != "interpolated"):
        gap = after.position - before.position - 1
        bridge = [s for s in chosen if before.position < s.position < after.position]
        if gap > MAX_GAP:
            assert not bridge
        for sighting in bridge:
            share = (sighting.position - before.position) / (gap + 1)
            assert sighting.face.box[0] == pytest.approx((1 - share) * before.face.box[0] + share * after.face.box[0])


@given(clips, st.integers(1, 5), st.integers(1, 1000))
def test_where_a_clip_begins_changes_no_track(spots: Spots, stride: int, start: int) -> None:
    def tracks(first: int) -> list[list[tuple[int, Face]]]:
        frames = [(first + k, k) for k in range(len(spots))]
        found = follow(frames, lambda k: spots[k], nowhere, lambda k, face: (k, face), stride=stride)
        return [[crop for _, crop in track] for track in found]

    assert tracks(start) == tracks(0)


@given(clips)
def test_each_detected_face_is_in_exactly_one_track_and_the_largest_comes_first(spots: Spots) -> None:
    tracks = Tracks()
    settled = [entry for position, found in enumerate(spots) for entry in tracks.add(position, found)]
    detected = [(s.position, s.face) for line in tracks.tracks for s in line if s.face.origin == "detected"]
    key = lambda entry: (entry[0], entry[1].box, entry[1].score)  # noqa: E731
    assert sorted(detected, key=key) == sorted(((p, f) for p, found in enumerate(spots) for f in found), key=key)
    assert sum(len(line) for line in tracks.tracks) == len(settled) == len({(n, s.position) for n, s in settled})
    areas = [sum(s.face.area for s in line) for line in tracks.tracks]
    assert [areas[number] for number in tracks.ordered()] == sorted(areas, reverse=True)


@given(st.lists(faces, max_size=5), st.lists(faces, max_size=5))
def test_links_use_each_face_once_and_the_best_overlap_first(before: list[Face], after: list[Face]) -> None:
    pairs = link(before, after, HOLD_IOU)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(iou(before[i].box, after[j].box) >= HOLD_IOU for i, j in pairs)
    best = max((iou(a.box, b.box) for a in before for b in after), default=0)
    if best >= HOLD_IOU:
        assert max(iou(before[i].box, after[j].box) for i, j in pairs) == best


@given(faces, faces, st.integers(0, 4))
def test_boxes_between_lie_between(a: Face, b: Face, count: int) -> None:
    boxes = [a.box, *(f.box for f in between(a, b, count, "tracked")), b.box]
    assert len(boxes) == count + 2
    for corner in zip(*boxes, strict=True):
        steps = [y - x for x, y in itertools.pairwise(corner)]
        assert steps == pytest.approx([steps[0]] * len(steps))


@pytest.mark.parametrize("num_faces", [0, 1])
def test_no_more_than_a_few_frames_are_held(num_faces: int) -> None:
    class Picture:
        pass

    alive: weakref.WeakSet[Picture] = weakref.WeakSet()
    most = 0

    def pictures() -> Iterator[Picture]:
        nonlocal most
        for _ in range(200):
            picture = Picture()
            alive.add(picture)
            most = max(most, len(alive))
            yield picture
            del picture

    follow(enumerate(pictures()), lambda _: [face(0)] * num_faces, nowhere, lambda _, face: face, stride=4)
    assert most <= 4 + MAX_GAP + 1


def test_of_a_crowd_only_the_largest_faces_are_followed() -> None:
    crowd = [face(200.0 * k, side=20 + k) for k in range(30)]
    crops: list[float] = []
    follow([(0, 0)], lambda _: crowd, nowhere, lambda _, face: crops.append(face.side), stride=1)
    assert sorted(crops) == [20 + k for k in range(30 - MAX_FACES, 30)]


def test_where_the_track_does_not_hold_faces_are_looked_for_near_their_path_before_the_whole_frame() -> None:
    spots = [[face(60.0 * p)] for p in range(9)]
    looked: list[int] = []
    asked: dict[int, Sequence[Face]] = {}

    def detect(position: int) -> Sequence[Face]:
        looked.append(position)
        return spots[position]

    def near(position: int, expected: Sequence[Face]) -> Sequence[Face] | None:
        asked[position] = expected
        return None if position == 6 else spots[position]

    (track,) = follow(enumerate(range(9)), detect, near, lambda position, _: position, stride=4)
    assert [crop for _, crop in track] == list(range(9))
    assert looked == [0, 4, 8, 6]
    assert sorted(asked) == [1, 2, 3, 5, 6, 7]
    for position, expected in asked.items():
        assert [f.box[0] for f in expected] == pytest.approx([60.0 * position])
    assert {origin for _, origin in origins([sighting for sighting, _ in track])} == {"detected"}


@pytest.mark.parametrize(
    ("second", "tracks"),
    [
        ([face(90)], 1),  # hardly overlaps, and is the only one within reach
        ([face(120)], 2),  # out of reach
        ([face(90, side=160)], 2),  # of another size
        ([face(90), Face((-90, 50, 10, 150), 0.9)], 3),  # either may be it
    ],
)
def test_a_head_that_moves_too_fast_to_overlap_is_followed_where_it_is_beyond_doubt(
    second: list[Face], tracks: int
) -> None:
    found = Tracks()
    found.add(0, [face(0)])
    found.add(1, second)
    assert len(found.tracks) == tracks


def test_a_face_that_was_lost_is_taken_up_by_overlap_alone() -> None:
    found = Tracks()
    found.add(0, [face(0)])
    found.add(2, [face(90)])
    assert len(found.tracks) == 2


def test_the_frames_around_one_that_is_not_there_get_boxes_by_where_they_stand() -> None:
    spots = [[face(0)], [], [], [face(30)]]
    chosen, _ = track(spots, stride=1, there=[0, 2, 3])
    assert [(s.position, round(s.face.box[0], 6)) for s in chosen] == [(0, 0), (2, 20), (3, 30)]


def test_landmarks_are_interpolated_with_their_boxes() -> None:
    points = tuple((float(k), 10.0 * k) for k in range(5))
    moved = tuple((x + 40, y - 20) for x, y in points)
    a, b = Face((0, 0, 10, 10), 0.9, points), Face((40, 0, 50, 10), 0.8, moved)  # type: ignore[arg-type]
    _, half, _ = between(a, b, 3, "tracked")
    assert half.landmarks == tuple((x + 20, y - 10) for x, y in points)
    assert between(a, Face(b.box, 0.8), 1, "tracked")[0].landmarks is None


@pytest.mark.parametrize(("sightings", "frames", "kept"), [(3, 32, False), (4, 32, True), (1, 1, True), (1, 11, False)])
def test_a_track_is_kept_with_all_where_it_is_seen_in_a_tenth_of_the_frames(sightings, frames, kept) -> None:
    assert seen_enough(sightings, frames) == kept
