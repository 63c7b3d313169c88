"""A face in a frame, and the square that is cut out around it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dataengine.records import Box, FaceOrigin
from dataengine.video import Pixels

Landmarks = tuple[
    tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]
]
"""Five points (x, y) in pixels: the eye that is left in the image, the right one, the tip of the nose, and the corners
of the mouth, left in the image and right."""


@dataclass(frozen=True, slots=True)
class Face:
    """A face in one frame."""

    box: Box
    """x0, y0, x1, y1 in pixels of the frame."""
    score: float
    """The detector's, in [0, 1]. Where the box is interpolated, the lower of its two neighbours'."""
    landmarks: Landmarks | None = None
    """Where the detector gives them."""
    origin: FaceOrigin = "detected"

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        x0, y0, x1, y1 = self.box
        return (x1 - x0) * (y1 - y0)

    @property
    def side(self) -> float:
        """The box's longer side, in pixels."""
        x0, y0, x1, y1 = self.box
        return max(x1 - x0, y1 - y0)

    @property
    def centre(self) -> tuple[float, float]:
        """Of the box, (x, y) in pixels."""
        x0, y0, x1, y1 = self.box
        return (x0 + x1) / 2, (y0 + y1) / 2

    def placed(self, scale: float, left: float, top: float, width: int, height: int) -> Face | None:
        """The face in the frame (`width` x `height`) of which it was found in a part, at 1/`scale` of its size and with
        its corner at (`left`, `top`). Its box ends with the frame; None where nothing of it is left."""
        x0, y0, x1, y1 = self.box
        x0, x1 = (min(max(x * scale + left, 0.0), float(width)) for x in (x0, x1))
        y0, y1 = (min(max(y * scale + top, 0.0), float(height)) for y in (y0, y1))
        if x1 <= x0 or y1 <= y0:
            return None
        points = self.landmarks
        if points is not None:
            a, b, c, d, e = ((x * scale + left, y * scale + top) for x, y in points)
            points = (a, b, c, d, e)
        return Face((x0, y0, x1, y1), self.score, points, self.origin)


def square(box: Box, width: int, height: int, *, margin: float) -> tuple[int, int, int]:
    """The square around a face as (left, top, side) in whole pixels, inside a frame of `width` x `height`.

    Its side is `margin` times the box's longer side, at most the frame's shorter side; where it would leave the frame
    it is shifted, so that nothing is padded.
    """
    x0, y0, x1, y1 = box
    side = max(1, min(round(margin * max(x1 - x0, y1 - y0)), width, height))
    left = min(max(round((x0 + x1 - side) / 2), 0), width - side)
    top = min(max(round((y0 + y1 - side) / 2), 0), height - side)
    return left, top, side


def crop(rgb: Pixels, box: Box, *, margin: float, size: int) -> tuple[Pixels, Box]:
    """The square around a face, shrunk to at most `size` px and never enlarged; and where it was in the frame."""
    left, top, side = square(box, rgb.shape[1], rgb.shape[0], margin=margin)
    image = rgb[top : top + side, left : left + side]
    if side > size:
        image = np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    else:
        image = image.copy()  # a view would keep the whole frame in memory
    return image, (float(left), float(top), float(left + side), float(top + side))


def centred(width: int, height: int) -> Face:
    """The largest centred square of a frame, where no face is looked for."""
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return Face((left, top, left + side, top + side), 0.0, origin="")
