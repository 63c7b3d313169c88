"""The drawn operations with OpenCV and libjpeg-turbo, in place. Each call leaves the interpreter's lock to others."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from dataengine.augment import Edits
from dataengine.augment.colour import colour_matrix
from dataengine.augment.noise import STEPS_PER_STD, ZERO, noise_tile

Pixels = npt.NDArray[np.uint8]


def edit(image: Pixels, spare: Pixels, edits: Edits, at: tuple[int, int]) -> None:
    """Execute what was drawn at the place `at` (view, sample), in the order of `OPERATIONS`.

    `image` and `spare` are contiguous (size, size, 3); `spare` is written to.
    """
    if angle := float(edits.angle[at]):
        _rotate(image, spare, angle)
    colours = (edits.brightness[at], edits.contrast[at], edits.saturation[at], edits.hue[at])
    if colours != (1, 1, 1, 0):
        cv2.transform(image, colour_matrix(*map(float, colours)), dst=image)
    if (factor := float(edits.scale[at])) != 1:
        _scale(image, spare, factor)
    if sigma := float(edits.blur[at]):
        side = 2 * math.ceil(3 * sigma) + 1
        cv2.GaussianBlur(image, (side, side), sigma, dst=image, borderType=cv2.BORDER_REFLECT_101)
    if std := float(edits.noise[at]):
        _add_noise(image, std, int(edits.tile_x[at]), int(edits.tile_y[at]))
    if quality := int(edits.jpeg[at]):
        _compress(image, spare, quality)


def small_side(size: int, factor: float) -> int:
    """Side in pixels of the small copy that `factor` means for an image of `size`."""
    return max(1, int(size * factor))


def _rotate(image: Pixels, spare: Pixels, angle: float) -> None:
    size = len(image)
    np.copyto(spare, image)
    centre = ((size - 1) / 2, (size - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, angle, 1.0)
    border = cv2.BORDER_REPLICATE
    cv2.warpAffine(spare, matrix, (size, size), dst=image, flags=cv2.INTER_LINEAR, borderMode=border)


def _scale(image: Pixels, spare: Pixels, factor: float) -> None:
    size = len(image)
    side = small_side(size, factor)
    small = spare.reshape(-1)[: side * side * 3].reshape(side, side, 3)
    cv2.resize(image, (side, side), dst=small, interpolation=cv2.INTER_LINEAR)
    cv2.resize(small, (size, size), dst=image, interpolation=cv2.INTER_LINEAR)


def _add_noise(image: Pixels, std: float, x: int, y: int) -> None:
    size = len(image)
    window = noise_tile(size)[y : y + size, x : x + size]
    step = std / STEPS_PER_STD
    cv2.addWeighted(image, 1.0, window, step, -ZERO * step, dst=image)


def _compress(image: Pixels, spare: Pixels, quality: int) -> None:
    """Encoded by OpenCV: below quality 96 simplejpeg takes a coarser DCT, and DALI's images are OpenCV's very ones."""
    cv2.cvtColor(image, cv2.COLOR_RGB2BGR, dst=spare)
    encoded = cv2.imencode(".jpg", spare, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    simplejpeg.decode_jpeg(encoded, "RGB", fastdct=False, fastupsample=False, buffer=image.reshape(-1))
