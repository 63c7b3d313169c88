from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.faces.align import TEMPLATE, TEMPLATE_SIZE, align, similarity, usable
from dataengine.faces.face import Landmarks


def moved(angle: float, scale: float, x: float, y: float) -> Landmarks:
    """The template's points turned (radians), scaled and shifted."""
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    a, b, c, d, e = ((cos * u - sin * v + x, sin * u + cos * v + y) for u, v in TEMPLATE)
    return a, b, c, d, e


@given(st.floats(-3.1, 3.1), st.floats(0.2, 8), st.floats(-500, 2000), st.floats(-500, 2000))
def test_a_turned_scaled_and_shifted_face_is_brought_back_onto_the_template(angle, scale, x, y) -> None:
    points = np.column_stack([moved(angle, scale, x, y), np.ones(5)])
    assert points @ similarity(moved(angle, scale, x, y)).T == pytest.approx(np.array(TEMPLATE), abs=1e-5)


def test_the_fit_is_the_least_squares_one() -> None:
    rng = np.random.default_rng(0)
    points = np.array(moved(0.3, 2, 100, 80)) + rng.normal(0, 4, (5, 2))
    # x' = a x - b y + c, y' = b x + a y + d as one linear system
    rows = [row for x, y in points for row in ([x, -y, 1, 0], [y, x, 0, 1])]
    a, b, c, d = np.linalg.lstsq(np.array(rows), np.array(TEMPLATE).ravel(), rcond=None)[0]
    landmarks: Landmarks = tuple(map(tuple, points))  # type: ignore[assignment]
    assert similarity(landmarks) == pytest.approx(np.array([[a, -b, c], [b, a, d]]))


@pytest.mark.parametrize("size", [256, 96])
def test_aligned_crops_of_one_face_in_any_pose_show_the_landmarks_where_the_template_has_them(size: int) -> None:
    margin = 1.3
    for angle in (0.0, 0.6, -1.2):
        points = moved(angle, 1.7, 300, 200)
        frame = np.zeros((720, 800, 3), np.uint8)
        for x, y in points:
            cv2.circle(frame, (round(x), round(y)), 4, (255, 255, 255), -1, cv2.LINE_AA)
        image, box = align(frame, points, margin=margin, size=size)
        side = image.shape[0]
        assert image.shape == (side, side, 3)
        assert side == min(size, round(margin * TEMPLATE_SIZE * 1.7))
        count, _, _, found = cv2.connectedComponentsWithStats((image[..., 0] > 100).astype(np.uint8))
        assert count == 6
        expected = [
            ((u - 56) / (margin * 112) * side + side / 2, (v - 56) / (margin * 112) * side + side / 2)
            for u, v in TEMPLATE
        ]
        for spot in expected:
            assert min(math.dist(spot, centre) for centre in found[1:]) < 1.2
        assert box[2] - box[0] == pytest.approx(
            margin * 112 * 1.7 * (abs(math.cos(angle)) + abs(math.sin(angle))), abs=1.5
        )


def test_an_upright_face_of_the_templates_size_keeps_its_pixels() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    image, box = align(frame, moved(0, 1, 90, 40), margin=1, size=256)
    assert np.array_equal(image, frame[40:152, 90:202])
    assert box == pytest.approx((90, 40, 202, 152))


def test_outside_the_frame_its_edge_is_repeated() -> None:
    frame = np.full((120, 120, 3), 77, np.uint8)
    image, (x0, y0, x1, y1) = align(frame, moved(0.5, 1, -30, -10), margin=1.5, size=256)
    assert set(np.unique(image)) == {77}
    assert 0 <= x0 < x1 <= 120
    assert 0 <= y0 < y1 <= 120


def test_landmarks_in_one_spot_are_of_no_use() -> None:
    spot = (4.0, 4.0)
    assert not usable((spot, spot, spot, spot, (5.0, 4.0)))
    assert not usable(None)
    assert usable(TEMPLATE)
