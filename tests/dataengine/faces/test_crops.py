"""Faces of whole clips, from frames in memory; and what they become in a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.convert import convert
from dataengine.errors import DfxError
from dataengine.faces.boxes import LANDMARKS
from dataengine.faces.crops import ClipFaces, face_crops, placed, prepare
from dataengine.faces.pinned import pin
from dataengine.faces.tracks import MAX_GAP
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.recorded import for_other_files, recorded
from dataengine.records import Clip
from dataengine.settings import ExtractSettings
from dataengine.store import open_store
from dataengine.video import Pixels, frame_indices, frames_within
from tests.dataengine.faces.drawn import portrait

LARGE, SMALL = (180, 180, 80), (460, 180, 60)
TRACK = ExtractSettings(faces="track")
OWN = "tests.dataengine.faces.own_detector"


def clip(path: str = "clip.mp4") -> Clip:
    names = ("dataset", "split", "raw_method", "method", "category", "quality", "target_id", "source_id")
    return Clip(clip="clip", paths=(path,), media="video", **dict.fromkeys(names, ""))  # type: ignore[arg-type]


def found(shown: Sequence[Sequence[tuple[int, int, int]]], settings: ExtractSettings) -> ClipFaces[Pixels]:
    """The faces of a clip whose frames, ten apart, show heads at these places."""
    frames: Iterator = ((10 * k, portrait(640, 360, *heads)) for k, heads in enumerate(shown))
    return face_crops(frames, clip(), settings, lambda image: image)


def middles(faces: ClipFaces) -> list[tuple[int, int, str]]:
    """Of each crop the frame, the number, and which half it shows."""
    half = ["left" if crop.box[0] + crop.box[2] < 640 else "right" for crop in faces.crops]
    return [(crop.frame, crop.number, side) for crop, side in zip(faces.crops, half, strict=True)]


def positions(of: Clip, frames: Sequence[int], most: int) -> list[int]:
    return [position for position, _ in placed(((k, np.zeros((1, 1, 3), np.uint8)) for k in frames), of, most)]


@given(st.integers(1, 500), st.integers(1, 64))
def test_frames_that_are_spread_over_a_whole_clip_stand_one_after_another(num_frames: int, most: int) -> None:
    sampled = frame_indices(num_frames, most)
    pictures = replace(clip(), media="images", paths=tuple(f"{k}.png" for k in range(num_frames)))
    for of in (clip(), pictures, replace(clip(), ranges=((0, num_frames),))):
        assert positions(of, sampled, most) == list(range(len(sampled)))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 60)), min_size=1, max_size=6), st.integers(1, 64))
def test_two_frames_are_neighbours_where_all_between_them_is_the_clips(parts, most: int) -> None:
    ranges, end = [], 0
    for gap, length in parts:
        ranges.append((end + gap, end + gap + length))
        end += gap + length
    inside = {k for start, stop in ranges for k in range(start, stop)}
    sampled = frames_within(ranges, end, most)
    found = positions(replace(clip(), ranges=tuple(ranges)), sampled, most)
    for (a, b), (p, q) in zip(pairwise(sampled), pairwise(found), strict=True):
        assert q - p == 1 if inside.issuperset(range(a, b)) else q - p > MAX_GAP + 1


def test_an_image_that_could_not_be_read_leaves_its_position_out() -> None:
    pictures = replace(clip(), media="images", paths=tuple(f"{k}.png" for k in range(20)))
    sampled = frame_indices(20, 5)
    assert positions(pictures, [sampled[k] for k in (1, 2, 4)], 5) == [1, 2, 4]


def test_no_face_is_put_between_two_parts_of_a_video() -> None:
    shown = [(160 + 15 * k, 180, 80) for k in range(6)]
    pictures = {20 * k: portrait(640, 360, head) for k, head in enumerate(shown)}
    pictures[60] = portrait(640, 360)
    settings = replace(TRACK, detect_stride=1)

    def origins(ranges: tuple[tuple[int, int], ...]) -> dict[int, str]:
        faces = face_crops(iter(pictures.items()), replace(clip(), ranges=ranges), settings, lambda image: image)
        return {crop.frame: crop.face.origin for crop in faces.crops}

    assert origins(((0, 110),)) == origins(()) == {k: "interpolated" if k == 60 else "detected" for k in pictures}
    parted = origins(((0, 61), (70, 110)))
    assert parted == {k: "detected" for k in pictures if k != 60}


BOTH_THEN_SMALL = [[LARGE, SMALL], [LARGE, SMALL], [LARGE, SMALL], [SMALL], [SMALL]]


def test_one_face_is_followed_though_another_is_the_only_one_of_a_frame() -> None:
    faces = found(BOTH_THEN_SMALL, TRACK)
    assert middles(faces) == [(0, 0, "left"), (10, 0, "left"), (20, 0, "left")]
    assert (faces.tracks, faces.left_out) == (2, 0)


def test_the_largest_face_of_each_frame_is_whoever_it_is() -> None:
    faces = found(BOTH_THEN_SMALL, replace(TRACK, faces="largest"))
    assert middles(faces) == [(0, 0, "left"), (10, 0, "left"), (20, 0, "left"), (30, 0, "right"), (40, 0, "right")]
    assert {crop.face.origin for crop in faces.crops} == {"detected"}


def test_all_faces_are_numbered_by_their_total_area() -> None:
    faces = found(BOTH_THEN_SMALL, replace(TRACK, faces="all"))
    both = [(k, n, side) for k in (0, 10, 20) for n, side in ((0, "left"), (1, "right"))]
    assert middles(faces) == [*both, (30, 1, "right"), (40, 1, "right")]


def test_of_all_faces_one_that_is_hardly_seen_is_left_out_and_counted() -> None:
    shown = [[LARGE, SMALL] if k == 5 else [LARGE] for k in range(11)]
    faces = found(shown, replace(TRACK, faces="all", detect_stride=1))
    assert {number for _, number, _ in middles(faces)} == {0}
    assert (faces.tracks, faces.left_out) == (2, 1)


def test_a_head_too_fast_for_tracks_is_followed_frame_by_frame() -> None:
    shown = [[(120 + 85 * k, 180, 70)] for k in range(5)]
    faces = found(shown, TRACK)
    assert [crop.face.origin for crop in faces.crops] == ["detected"] * 5
    for crop, ((x, _, _),) in zip(faces.crops, shown, strict=True):
        assert (crop.box[0] + crop.box[2]) / 2 == pytest.approx(x, abs=15)


def test_without_a_detector_the_middle_of_each_frame_is_taken() -> None:
    faces = found([[LARGE], []], replace(TRACK, detector="none", size=128))
    assert [crop.box for crop in faces.crops] == [(140, 0, 500, 360)] * 2
    assert {crop.image.shape for crop in faces.crops} == {(128, 128, 3)}
    assert {crop.face.origin for crop in faces.crops} == {""}


def test_aligned_crops_show_the_eyes_of_a_tilted_head_on_one_line() -> None:
    frame = portrait(640, 360, (320, 180, 90))
    turn = cv2.getRotationMatrix2D((320, 180), 18, 1)
    tilted = cv2.warpAffine(frame, turn, (640, 360), borderMode=cv2.BORDER_REPLICATE)
    settings = replace(TRACK, align=True)
    crops = [
        crop
        for image in (frame, tilted)
        for crop in face_crops(iter([(0, np.asarray(image, np.uint8))]), clip(), settings, lambda image: image).crops
    ]
    straight, turned = (cv2.resize(crop.image, (96, 96)).astype(int) for crop in crops)
    upright = face_crops(iter([(0, np.asarray(tilted, np.uint8))]), clip(), TRACK, lambda image: image).crops[0].image
    assert np.abs(straight - turned).mean() < 0.6 * np.abs(straight - cv2.resize(upright, (96, 96))).mean()


def boxes_file(folder: Path, rows: list[dict[str, object]]) -> ExtractSettings:
    path = folder / "boxes.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return replace(TRACK, boxes=pin(path))


def row(frame: int, x0: float, path: str = "clip.mp4", **more: object) -> dict[str, object]:
    return {"path": path, "frame": frame, "x0": x0, "y0": 50.0, "x1": x0 + 100, "y1": 150.0, **more}


def test_boxes_of_a_file_are_cut_out_without_a_detector(tmp_path: Path) -> None:
    settings = boxes_file(tmp_path, [row(0, 100.0), row(20, 140.0), row(50, 140.0)])
    faces = found([[]] * 6, settings)
    assert [(crop.frame, crop.face.box[0], crop.face.origin) for crop in faces.crops] == [
        (0, 100, "given"),
        (10, 120, "interpolated"),
        (20, 140, "given"),
        (30, 140, "interpolated"),
        (40, 140, "interpolated"),
        (50, 140, "given"),
    ]


def test_boxes_outside_the_frame_or_with_too_low_a_score_are_not_used(tmp_path: Path) -> None:
    rows = [row(0, 100.0, score=0.9), row(10, 700.0, score=0.9), row(40, 100.0, score=0.2)]
    faces = found([[]] * 5, replace(boxes_file(tmp_path, rows), min_score=0.5))
    assert [crop.frame for crop in faces.crops] == [0]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"align": True, "detector": "none"}, "nothing gives landmarks"),
        ({"align": True, "faces": "none"}, "nothing gives landmarks"),
        ({"align": True, "detector": f"{OWN}:Middle"}, "gives no landmarks to align by; leave out --align"),
        ({"detector": "retina"}, "unknown detector 'retina'"),
    ],
)
def test_what_cannot_be_aligned_or_found_is_refused_before_any_clip_is_read(settings, told) -> None:
    with pytest.raises(DfxError, match=told) as error:
        prepare(replace(TRACK, **settings), [clip()])
    assert "\n" not in str(error.value)


def test_boxes_without_landmarks_cannot_be_aligned_by(tmp_path: Path) -> None:
    settings = boxes_file(tmp_path, [row(0, 100.0)])
    with pytest.raises(DfxError, match="has no landmarks to align by"):
        prepare(replace(settings, align=True), [clip()])
    points = dict(zip(LANDMARKS, (120.0, 90.0, 170.0, 90.0, 145.0, 110.0, 125.0, 130.0, 165.0, 130.0), strict=True))
    settings = replace(boxes_file(tmp_path, [row(0, 100.0, **points)]), align=True)
    assert prepare(settings, [clip()]) == []
    assert len(found([[]], settings).crops) == 1


def test_boxes_and_a_detector_are_not_named_together(tmp_path: Path) -> None:
    settings = boxes_file(tmp_path, [row(0, 100.0)])
    with pytest.raises(DfxError, match="instead of a detector; leave them out"):
        replace(settings, detector="yunet")


def test_settings_name_files_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    here, there = (boxes_file(folder, [row(0, 100.0)]) for folder in (tmp_path, tmp_path / "b"))
    other = boxes_file(tmp_path / "b", [row(0, 101.0)])
    assert recorded(here) == recorded(there)
    assert recorded(here) != recorded(other)
    assert recorded(TRACK)["weights"] != recorded(replace(TRACK, detector="yunet"))["weights"]
    assert recorded(replace(TRACK, faces="none"))["weights"] is None


def test_a_stores_settings_serve_other_files(tmp_path: Path) -> None:
    assert for_other_files(recorded(boxes_file(tmp_path, [row(0, 100.0)]))) == TRACK
    assert for_other_files(recorded(replace(TRACK, faces="all", min_score=0.5))) == replace(TRACK, min_score=0.5)
    assert for_other_files(recorded(replace(TRACK, detector="yunet"))) == replace(TRACK, detector="yunet")
    weights = tmp_path / "weights.txt"
    weights.write_text("0.75")
    own = replace(TRACK, detector=f"{OWN}:Middle", weights=pin(weights))
    assert for_other_files(recorded(own), pin(weights)) == own
    with pytest.raises(DfxError, match="give that file as --detector-weights"):
        for_other_files(recorded(own))


def test_a_store_of_all_faces_has_a_key_and_a_row_for_each(tmp_path: Path) -> None:
    for name in ("real", "Deepfakes"):
        for number in range(3):
            folder = tmp_path / "tree" / name / f"{number:03d}"
            folder.mkdir(parents=True)
            for frame in range(2):
                image = portrait(640, 360, LARGE, SMALL) if name == "real" else portrait(640, 360, LARGE)
                cv2.imwrite(str(folder / f"{frame}.png"), image[..., ::-1])
    settings = ConvertSettings(extract=replace(TRACK, faces="all"))
    convert("folder", tmp_path / "tree", tmp_path / "store", settings, ScanOptions())
    store = open_store(str(tmp_path / "store"))
    index = pq.read_table(tmp_path / "store" / "index.parquet").to_pylist()
    assert len(index) == 3 * 2 * 2 + 3 * 2 * 1 == len({entry["key"] for entry in index})
    for entry in index:
        second = entry["face"] == 1
        assert entry["key"] == f"{entry['clip']}/{entry['frame']:06d}{'-1' if second else ''}"
        assert second == (entry["box_x0"] > 320)
        assert second <= (entry["method"] == "real")
    counts = {
        (entry["method"], entry["tracks_found"], entry["frames_with_face"]) for entry in store.clips().to_pylist()
    }
    assert counts == {("real", 2, 2), ("Deepfakes", 1, 2)}
    assert {entry["mean_score"] > 0.9 for entry in store.clips().to_pylist()} == {True}
    assert store.meta["settings"]["extract"]["weights"] == recorded(TRACK)["weights"]


def test_of_a_crop_nothing_is_held_but_what_is_kept() -> None:
    frame = portrait(640, 360, LARGE)
    kept = face_crops(iter([(k, frame) for k in range(3)]), clip(), TRACK, lambda image: image.nbytes)
    assert [crop.image for crop in kept.crops] == [kept.crops[0].image] * 3
