"""How a manipulated face gets into a frame: crops, masks, colour transfer, blending."""

from __future__ import annotations

import cv2
import numpy as np

from dataengine.sample.actor import shifted
from dataengine.sample.identity import F32, U8, Face
from dataengine.sample.portrait import outline


def crop_matrix(side: int) -> F32:
    """From face units to a square crop of `side` pixels around the face."""
    half = side / 2
    return np.array([[half, 0, half], [0, half, 0.85 * half]], np.float32)


def face_of(frame: U8, matrix: F32) -> U8:
    """The square around a face that `matrix` (2, 3) places in the frame, as a set of cropped faces would hold it."""
    x, y = matrix @ np.array([0, 0.15, 1], np.float32)
    half = 1.15 * float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    height, width = frame.shape[:2]
    side = int(min(2 * half, height, width))
    left, top = (int(min(max(c - half, 0), limit - side)) for c, limit in ((x, width), (y, height)))
    return np.ascontiguousarray(frame[top : top + side, left : left + side])


def composed(outer: F32, inner: F32) -> F32:
    """The affine map that applies `inner`, then `outer`; both (2, 3)."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.column_stack([linear, outer[:, :2] @ inner[:, 2] + outer[:, 2]]).astype(np.float32)


def inverted(matrix: F32) -> F32:
    """The inverse of an affine map (2, 3)."""
    inverse: F32 = cv2.invertAffineTransform(matrix)
    return inverse


def contour(face: Face, points: int, *, shrink: float, top: float) -> F32:
    """A polygon (points, 2) in face units along the face's contour, cut off above v = top."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False, dtype=np.float32)
    reach = np.linspace(0.1, 1.4, 131, dtype=np.float32)
    u, v = np.cos(angle)[:, None] * reach, 0.15 + np.sin(angle)[:, None] * reach
    edge = reach[np.argmax(outline(face, u, v) < 0, axis=1)] * np.float32(shrink)
    return np.column_stack([np.cos(angle) * edge, np.maximum(0.15 + np.sin(angle) * edge, top)]).astype(np.float32)


def polygon_mask(points: F32, matrix: F32, size: tuple[int, int], feather: float) -> F32:
    """Mask (height, width) in [0, 1] of a polygon in face units; `feather` is a blur's sigma in face units."""
    corners = points @ matrix[:, :2].T + matrix[:, 2]
    mask = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillPoly(mask, [np.rint(corners * 16).astype(np.int32)], 255, cv2.LINE_8, 4)
    soft: F32 = mask.astype(np.float32) / np.float32(255)
    sigma = feather * float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if sigma > 0.3:
        soft = cv2.GaussianBlur(soft, (0, 0), sigma)
    return soft


def colour_matched(face: F32, like: F32, mask: F32) -> F32:
    """`face` with the mean and spread of each channel that `like` has under the mask; (height, width, 3)."""
    weight = mask[..., None] / np.float32(max(float(mask.sum()), 1e-6))

    def moments(picture: F32) -> tuple[F32, F32]:
        mean: F32 = (picture * weight).sum((0, 1))
        return mean, np.sqrt((((picture - mean) ** 2) * weight).sum((0, 1))) + np.float32(1)

    (mean, spread), (wanted, wide) = moments(face), moments(like)
    matched: F32 = (face - mean) * np.clip(wide / spread, 0.75, 1.33) + wanted
    return matched


def mean_offset(face: F32, like: F32, mask: F32) -> F32:
    """What to add to each channel of `face` for the mean that `like` has under the mask: (3,)."""
    weight = mask[..., None] / np.float32(max(float(mask.sum()), 1e-6))
    offset: F32 = ((like - face) * weight).sum((0, 1))
    return offset


def blend(frame: U8, picture: F32, mask: F32, to_frame: F32) -> U8:
    """A copy of the frame with `picture` laid in through `mask`, both placed by `to_frame` (2, 3)."""
    side = mask.shape[0]
    corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]], np.float32) @ to_frame.T
    (x0, y0), (x1, y1) = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    x0, y0, x1, y1 = max(0, x0), max(0, y0), min(frame.shape[1], x1), min(frame.shape[0], y1)
    layer = np.dstack([picture, mask])
    placed = cv2.warpAffine(layer, shifted(to_frame, x0, y0), (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR)
    return laid_in(frame, placed[..., :3], placed[..., 3], (int(x0), int(y0), int(x1), int(y1)))


def laid_in(frame: U8, picture: F32, mask: F32, box: tuple[int, int, int, int]) -> U8:
    """A copy of the frame with `picture` over the box where mask says so."""
    x0, y0, x1, y1 = box
    under = frame[y0:y1, x0:x1].astype(np.float32)
    mixed = under + mask[..., None] * (picture - under)
    result = frame.copy()
    result[y0:y1, x0:x1] = np.clip(mixed + np.float32(0.5), 0, 255).astype(np.uint8)
    return result
