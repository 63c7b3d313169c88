"""Where in a frame a detector looks: all of it, made smaller, or only where faces are expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dataengine.faces.align import usable
from dataengine.faces.detector import Detector
from dataengine.faces.face import Face
from dataengine.faces.tracks import iou
from dataengine.video import Pixels

DETECTION_SIZE = 640
"""Long side, in pixels, of the copy that faces are looked for in: at full size detection takes 7 times as long."""

WINDOW = 2.5
"""Side of the part that is looked at around an expected face, in longer sides of its box: it may have moved by three
quarters of that to each side."""

WINDOW_FACE = 64
"""Longer side, in pixels, of the expected face in the copy of that part, and half as much again as `min_face` at least.
MTCNN then takes 0.4 of what the whole frame takes, and its boxes overlap with those by 0.92; with 96 px by 0.93."""

_SAME_IOU = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How faces are looked for."""

    detector: Detector
    min_face: int = 40
    """Longer side of the smallest face, in pixels of a copy of the frame whose long side is at most DETECTION_SIZE."""
    min_score: float = 0.0
    align: bool = False
    """Only faces whose landmarks tell an angle and a size."""

    def whole(self, rgb: Pixels) -> list[Face]:
        """The faces in a frame, uint8 RGB (height, width, 3), in the detector's order and the frame's pixels."""
        height, width = rgb.shape[:2]
        scale = _copy_scale(rgb)
        if scale > 1:
            size = (max(1, round(width / scale)), max(1, round(height / scale)))
            copy = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        else:
            copy = rgb
        return self._faces(copy, scale, 0, 0, rgb)

    def near(self, rgb: Pixels, expected: Sequence[Face]) -> list[Face] | None:
        """The faces found where they are expected, in that order; None where one is not found, where that is in doubt,
        or where looking at the whole frame costs no more."""
        pixels = sum(self._window_px(face) for face in expected)
        if not expected or 2 * pixels > rgb.shape[0] * rgb.shape[1] / _copy_scale(rgb) ** 2:
            return None
        faces: list[Face] = []
        for face in expected:
            found = self._beside(rgb, face)
            if found is None or any(iou(found.box, other.box) > _SAME_IOU for other in faces):
                return None
            faces.append(found)
        return faces

    def _window_scale(self, face: Face) -> float:
        return max(1.0, face.side / max(WINDOW_FACE, 1.5 * self.min_face))

    def _window_px(self, face: Face) -> float:
        return (WINDOW * face.side / self._window_scale(face)) ** 2

    def _beside(self, rgb: Pixels, expected: Face) -> Face | None:
        height, width = rgb.shape[:2]
        (x, y), half = expected.centre, WINDOW * expected.side / 2
        left, right = (round(min(max(edge, 0), width)) for edge in (x - half, x + half))
        top, bottom = (round(min(max(edge, 0), height)) for edge in (y - half, y + half))
        scale = self._window_scale(expected)
        size = (round((right - left) / scale), round((bottom - top) / scale))
        if min(size) < 1:
            return None
        part = rgb[top:bottom, left:right]
        if scale > 1:
            part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        faces = self._faces(np.ascontiguousarray(part), scale, left, top, rgb)
        if not faces:
            return None
        best = max(faces, key=lambda face: iou(face.box, expected.box))
        # A face that the window cuts has a box of what is left of it; the frame's own edge cuts it for good.
        x0, y0, x1, y1 = best.box
        cut = (x0 <= left > 0) or (y0 <= top > 0) or (x1 >= right < width) or (y1 >= bottom < height)
        return None if cut else best

    def _faces(self, copy: Pixels, scale: float, left: int, top: int, rgb: Pixels) -> list[Face]:
        height, width = rgb.shape[:2]
        least = self.min_face * _copy_scale(rgb)
        found = (face.placed(scale, left, top, width, height) for face in self.detector(copy))
        return [
            face
            for face in found
            if face is not None
            and face.side >= least
            and face.score >= self.min_score
            and (usable(face.landmarks) or not self.align)
        ]


def _copy_scale(rgb: Pixels) -> float:
    return max(1.0, float(max(rgb.shape[:2])) / DETECTION_SIZE)
