"""What pre-training does to the picture at a position: which crop, which transformation, which noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dataengine.order import counter_hash, uniform
from trainers.dnadet.transforms import TRANSFORMS, Pixels

Ints = npt.NDArray[np.int64]

CROP_PX = 128
"""Side of what is cut out of a picture, at its own scale, before it is transformed."""

_PURPOSE = 0x646E61  # where these draws lie among all others of a (seed, epoch, position)
_TRANSFORM, _LEFT, _TOP, _NOISE = range(4)  # they enter the hash, so they never change


@dataclass(frozen=True, slots=True)
class Choices:
    """What is done to the pictures at some positions, arrays of their shape."""

    transform: Ints
    """Index into TRANSFORMS: the label."""
    left: Ints
    """Of the crop, in pixels; 0 where the picture is not wider than it. `top` likewise."""
    top: Ints
    noise: npt.NDArray[np.uint64]
    """What a transformation draws from."""


def choose(seed: int, epoch: int, positions: npt.NDArray[Any], widths: Ints, heights: Ints) -> Choices:
    """A uniform transformation and crop for pictures of `widths` x `heights` pixels at `positions`, all of one shape.

    A function of (seed, epoch, position) and the picture's size alone. In evaluation hashes of the samples' keys stand
    for positions, and seed and epoch are 0, so that a picture always gets the same.
    """

    def words(parameter: int) -> npt.NDArray[np.uint64]:
        return counter_hash(seed, epoch, positions, _PURPOSE, parameter)

    def start(parameter: int, sides: Ints) -> Ints:
        return np.asarray(uniform(words(parameter)) * (np.maximum(sides - CROP_PX, 0) + 1), dtype=np.int64)

    transform = (words(_TRANSFORM) % np.uint64(len(TRANSFORMS))).astype(np.int64)
    return Choices(transform, start(_LEFT, widths), start(_TOP, heights), words(_NOISE))


def crop(image: Pixels, left: int, top: int) -> Pixels:
    """CROP_PX x CROP_PX pixels of the picture; one that is smaller is mirrored at its right and lower edge, not scaled:
    scaling would leave a trace that no class stands for."""
    window = image[top : top + CROP_PX, left : left + CROP_PX]
    down, across = CROP_PX - window.shape[0], CROP_PX - window.shape[1]
    if down or across:
        window = np.asarray(cv2.copyMakeBorder(window, 0, down, 0, across, cv2.BORDER_REFLECT_101), dtype=np.uint8)
    return np.ascontiguousarray(window)
