from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.faces import DETECTION_SIZE, crop, detect_faces, square
from dataengine.tracks import iou
from dataengine.video import Pixels


def portrait(width: int, height: int, *heads: tuple[int, int, int]) -> Pixels:
    """Drawn faces, each (centre x, centre y, radius), on a plain ground."""
    image = np.full((height, width, 3), (90, 110, 130), np.uint8)
    for x, y, r in heads:

        def oval(dx: float, dy: float, w: float, h: float, colour: tuple[int, int, int]) -> None:
            centre, axes = (int(x + dx * r), int(y + dy * r)), (int(w * r), int(h * r))  # noqa: B023
            cv2.ellipse(image, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)

        oval(0, -0.25, 0.95, 1.15, (50, 35, 25))
        oval(0, 0, 0.78, 1.05, (224, 180, 150))
        for side in (-0.33, 0.33):
            oval(side, -0.38, 0.2, 0.05, (60, 40, 30))
            oval(side, -0.18, 0.16, 0.09, (250, 250, 250))
            oval(side, -0.18, 0.075, 0.08, (40, 30, 20))
        oval(0, 0.15, 0.1, 0.12, (190, 140, 115))
        oval(0, 0.52, 0.3, 0.1, (160, 60, 60))
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5), np.uint8)


@pytest.mark.parametrize(("width", "height", "radius"), [(320, 240, 60), (1280, 720, 170), (720, 1280, 170)])
def test_a_face_is_found_in_pixels_of_the_source(width: int, height: int, radius: int) -> None:
    x, y = width // 2 + 20, height // 2
    found = detect_faces(portrait(width, height, (x, y, radius)))
    assert len(found) == 1
    box = found[0].box
    assert iou(box, (x - 0.75 * radius, y - radius, x + 0.75 * radius, y + radius)) > 0.6
    assert 0.9 < found[0].score <= 1


def test_the_detector_expects_red_first() -> None:
    image = portrait(640, 360, (320, 180, 80))
    (rgb,), (bgr,) = detect_faces(image), detect_faces(np.ascontiguousarray(image[..., ::-1]))
    assert rgb.score > bgr.score


def test_two_faces_are_two_and_no_face_is_none() -> None:
    both = detect_faces(portrait(640, 360, (180, 180, 80), (460, 180, 60)))
    assert sorted(round(face.box[0] + face.box[2]) // 20 for face in both) == pytest.approx([18, 46], abs=1)
    assert detect_faces(portrait(640, 360)) == []
    assert detect_faces(np.zeros((1, 1, 3), np.uint8)) == []


def test_detection_does_not_depend_on_what_was_detected_before() -> None:
    image = portrait(640, 360, (320, 180, 80))
    first = detect_faces(image)
    detect_faces(portrait(1000, 300, (500, 150, 90)))
    assert detect_faces(image) == first


def test_the_smallest_face_counts_in_the_downscaled_copy() -> None:
    image = portrait(2 * DETECTION_SIZE, 720, (600, 360, 40))
    assert len(detect_faces(image, min_face=40)) == 1  # a head of 62 x 84 px, in the copy 31 x 42
    assert detect_faces(image, min_face=80) == []


coordinates = st.floats(-50, 2000, allow_nan=False)
spans = st.floats(0.5, 900, allow_nan=False)


@given(coordinates, coordinates, spans, spans, st.integers(1, 1500), st.integers(1, 1500), st.floats(0.5, 4))
def test_a_square_is_whole_and_inside_any_frame(x, y, w, h, width, height, margin) -> None:
    left, top, side = square((x, y, x + w, y + h), width, height, margin=margin)
    assert all(isinstance(value, int) for value in (left, top, side))
    assert 1 <= side <= min(width, height)
    assert 0 <= left <= width - side
    assert 0 <= top <= height - side
    assert side == max(1, min(round(margin * max(w, h)), width, height))


def test_a_square_is_centred_and_shifted_only_where_it_must() -> None:
    assert square((400, 200, 480, 300), 1000, 800, margin=1.3) == (375, 185, 130)
    assert square((0, 0, 80, 100), 1000, 800, margin=1.3) == (0, 0, 130)
    assert square((930, 710, 1000, 800), 1000, 800, margin=1.3) == (883, 683, 117)
    assert square((100, 100, 900, 700), 1000, 800, margin=1.3) == (100, 0, 800)


def test_a_crop_is_shrunk_but_never_enlarged() -> None:
    image = np.random.default_rng(0).integers(0, 256, (400, 600, 3), np.uint8)
    small, where = crop(image, (100, 100, 200, 180), margin=1.3, size=256)
    assert where == (85, 75, 215, 205)
    assert np.array_equal(small, image[75:205, 85:215])
    assert small.base is None
    large, where = crop(image, (100, 50, 400, 350), margin=1.3, size=256)
    assert where == (55, 5, 445, 395)
    expected = cv2.resize(image[5:395, 55:445], (256, 256), interpolation=cv2.INTER_AREA)
    assert np.array_equal(large, expected)
