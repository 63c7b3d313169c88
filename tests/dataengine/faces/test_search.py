from __future__ import annotations

import numpy as np
import pytest

from dataengine.faces.detector import load_detector
from dataengine.faces.face import Face
from dataengine.faces.search import DETECTION_SIZE, Search
from dataengine.faces.tracks import iou
from dataengine.video import Pixels
from tests.dataengine.faces.drawn import portrait


def search(min_face: int = 40, **settings) -> Search:
    return Search(detector=load_detector("mtcnn", None, min_face), min_face=min_face, **settings)


def look(image: Pixels, *, min_face: int = 40) -> list[Face]:
    return search(min_face).whole(image)


@pytest.mark.parametrize(("width", "height", "radius"), [(320, 240, 60), (1280, 720, 170), (720, 1280, 170)])
def test_a_face_is_found_in_pixels_of_the_source(width: int, height: int, radius: int) -> None:
    x, y = width // 2 + 20, height // 2
    found = look(portrait(width, height, (x, y, radius)))
    assert len(found) == 1
    box = found[0].box
    assert iou(box, (x - 0.75 * radius, y - radius, x + 0.75 * radius, y + radius)) > 0.6
    assert 0.9 < found[0].score <= 1


def test_the_detector_expects_red_first() -> None:
    image = portrait(640, 360, (320, 180, 80))
    (rgb,), (bgr,) = look(image), look(np.ascontiguousarray(image[..., ::-1]))
    assert rgb.score > bgr.score


def test_two_faces_are_two_and_no_face_is_none() -> None:
    both = look(portrait(640, 360, (180, 180, 80), (460, 180, 60)))
    assert sorted(round(face.box[0] + face.box[2]) // 20 for face in both) == pytest.approx([18, 46], abs=1)
    assert look(portrait(640, 360)) == []
    assert look(np.zeros((1, 1, 3), np.uint8)) == []


def test_detection_does_not_depend_on_what_was_detected_before() -> None:
    image = portrait(640, 360, (320, 180, 80))
    first = look(image)
    look(portrait(1000, 300, (500, 150, 90)))
    assert look(image) == first


def test_the_smallest_face_counts_in_the_downscaled_copy() -> None:
    image = portrait(2 * DETECTION_SIZE, 720, (600, 360, 48))
    assert len(look(image, min_face=40)) == 1  # a head of 75 x 100 px, in the copy 37 x 50
    assert look(image, min_face=80) == []


def test_detections_below_the_score_are_not_used() -> None:
    image = portrait(640, 360, (320, 180, 80))
    (face,) = look(image)
    assert search(min_score=face.score).whole(image) == [face]
    assert search(min_score=min(face.score + 1e-4, 1)).whole(image) == []


def test_a_face_near_where_it_is_expected_is_found_as_in_the_whole_frame() -> None:
    image = portrait(1280, 720, (500, 360, 110))
    (whole,) = look(image)
    x0, y0, x1, y1 = whole.box
    shift = 0.5 * whole.side
    (near,) = search().near(image, [Face((x0 + shift, y0, x1 + shift, y1), 0.9)]) or []
    assert iou(near.box, whole.box) > 0.8
    assert near.landmarks is not None
    assert whole.landmarks is not None
    assert np.abs(np.subtract(near.landmarks, whole.landmarks)).max() < 0.1 * whole.side


def test_where_an_expected_face_is_in_doubt_nothing_is_said() -> None:
    image = portrait(1280, 720, (300, 360, 90), (900, 360, 90))
    faces = look(image)
    assert len(faces) == 2
    assert len(search().near(image, faces) or []) == 2
    away = Face((560, 20, 700, 190), 0.9)
    assert search().near(image, [faces[0], away]) is None  # one is missing
    assert search().near(image, [faces[0], faces[0]]) is None  # both are the same
    x0, y0, x1, y1 = faces[0].box
    beside = 1.1 * faces[0].side
    assert search().near(image, [Face((x0 + beside, y0, x1 + beside, y1), 0.9)]) is None  # the window may cut it
    assert search().near(image, []) is None
    assert search().near(image, [Face((0, 0, 1280, 720), 0.9)]) is None  # no less work than the whole frame
