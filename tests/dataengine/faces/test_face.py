from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataengine.faces.face import Face, centred, crop, square

coordinates = st.floats(-50, 2000, allow_nan=False)
spans = st.floats(0.5, 900, allow_nan=False)


@given(coordinates, coordinates, spans, spans, st.integers(1, 1500), st.integers(1, 1500), st.floats(0.5, 4))
def test_a_square_is_whole_and_inside_any_frame(x, y, w, h, width, height, margin) -> None:
    box = (x, y, x + w, y + h)
    left, top, side = square(box, width, height, margin=margin)
    assert all(isinstance(value, int) for value in (left, top, side))
    assert 1 <= side <= min(width, height)
    assert 0 <= left <= width - side
    assert 0 <= top <= height - side
    longer = max(box[2] - box[0], box[3] - box[1])  # a rounding beside `w` and `h`
    assert side == max(1, min(round(margin * longer), width, height))


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


def test_a_face_of_a_part_is_placed_in_its_frame_and_ends_with_it() -> None:
    points = ((1.0, 2.0), (3.0, 2.0), (2.0, 3.0), (1.0, 4.0), (3.0, 4.0))
    placed = Face((-4, 1, 10, 8), 0.9, points).placed(2.0, 100, 50, 115, 400)
    assert placed is not None
    assert placed.box == (92, 52, 115, 66)
    assert placed.landmarks is not None
    assert placed.landmarks[2] == (104, 56)
    assert Face((10, 0, 20, 5), 0.9).placed(1.0, 100, 0, 105, 400) is None


def test_without_a_face_the_largest_centred_square_is_taken() -> None:
    face = centred(640, 360)
    assert face.box == (140, 0, 500, 360)
    image, where = crop(np.zeros((360, 640, 3), np.uint8), face.box, margin=1.3, size=512)
    assert image.shape == (360, 360, 3)
    assert where == face.box
