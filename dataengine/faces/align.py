"""Alignment: a face turned, scaled and shifted so that its eyes, nose and mouth lie where a template has them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from dataengine.faces.face import Landmarks
from dataengine.records import Box
from dataengine.video import Pixels

TEMPLATE_SIZE = 112
TEMPLATE: Landmarks = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""Where the five landmarks lie in a square of TEMPLATE_SIZE px: the template of ArcFace (Deng et al., "ArcFace:
Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019; `arcface_dst` in the repository
deepinsight/insightface)."""

MIN_SPREAD = 2.0
"""Landmarks whose mean distance to their centre is less, in pixels, tell no angle and no size."""


def usable(landmarks: Landmarks | None) -> bool:
    """Whether a face can be aligned by these landmarks."""
    if landmarks is None:
        return False
    points = np.asarray(landmarks, np.float64)
    spread = np.linalg.norm(points - points.mean(0), axis=1).mean()
    return bool(np.isfinite(points).all() and spread >= MIN_SPREAD)


def similarity(landmarks: Landmarks) -> npt.NDArray[np.float64]:
    """The matrix (2, 3) from pixels of the frame to pixels of the template: the rotation, scale and shift with the
    least squared distance of the landmarks to the template's (Umeyama, "Least-squares estimation of transformation
    parameters between two point patterns", TPAMI 1991), without reflection."""
    points, template = np.asarray(landmarks, np.float64), np.asarray(TEMPLATE, np.float64)
    from_mean, to_mean = points.mean(0), template.mean(0)
    # As complex numbers a similarity is one factor: angle and scale together.
    source = (points - from_mean) @ (1, 1j)
    target = (template - to_mean) @ (1, 1j)
    factor = np.vdot(source, target) / np.vdot(source, source).real
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([linear, to_mean - linear @ from_mean])


def align(rgb: Pixels, landmarks: Landmarks, *, margin: float, size: int) -> tuple[Pixels, Box]:
    """The aligned square, shrunk to at most `size` px and never enlarged; and the box, in the frame, of its corners.

    With a margin of 1 it shows the template's square, with a larger one so many times more to each side of its centre.
    Where it leaves the frame, the frame's edge is repeated: a turned square cannot be shifted inside.
    """
    matrix = similarity(landmarks)
    scale = math.hypot(*matrix[:, 0])
    # At the frame's own scale first, and shrunk by area from there: a warp that shrinks would alias.
    side = max(1, min(round(margin * TEMPLATE_SIZE / scale), 2 * max(rgb.shape[:2])))
    zoom = side / (margin * TEMPLATE_SIZE)
    shift = np.array([side / 2, side / 2]) - zoom * TEMPLATE_SIZE / 2
    matrix = np.column_stack([zoom * matrix[:, :2], zoom * matrix[:, 2] + shift])
    matrix[:, 2] += zoom / 2 - 0.5  # from the template's pixel corners to pixel centres
    image = cv2.warpAffine(rgb, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if side > size:
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(image, np.uint8), _corners(matrix, side, rgb.shape[1], rgb.shape[0])


def _corners(matrix: npt.NDArray[np.float64], side: int, width: int, height: int) -> Box:
    back = cv2.invertAffineTransform(matrix)
    corners = np.array([[x, y, 1] for x in (-0.5, side - 0.5) for y in (-0.5, side - 0.5)]) @ back.T + 0.5
    low, high = corners.min(0), corners.max(0)
    return (
        float(max(low[0], 0)),
        float(max(low[1], 0)),
        float(min(high[0], width)),
        float(min(high[1], height)),
    )
