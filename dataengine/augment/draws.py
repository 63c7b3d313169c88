"""The parameters of an augmentation for samples at positions: pure draws, which the backends only execute."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from dataengine.augment.noise import OFFSETS
from dataengine.augment.spec import Augment
from dataengine.order import counter_hash, uniform

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Parameter numbers enter the hash, so they never change. An operation has two: whether it is drawn, and how strong.
_AREA, _RATIO, _LEFT, _TOP, _FLIP = range(5)
_ROTATE, _BRIGHTNESS, _CONTRAST, _SATURATION, _HUE, _SCALE, _BLUR, _NOISE, _JPEG = range(5, 23, 2)
_GREY, _TILE_X, _TILE_Y = range(23, 26)


@dataclass(frozen=True, slots=True)
class Edits:
    """The drawn `OPERATIONS`, arrays of the draws' shape. At its neutral value an operation is not executed at all."""

    angle: npt.NDArray[np.float32]
    """Degrees, counter-clockwise; 0: none."""
    brightness: npt.NDArray[np.float32]
    contrast: npt.NDArray[np.float32]
    saturation: npt.NDArray[np.float32]
    """Factors; 1: none."""
    hue: npt.NDArray[np.float32]
    """Degrees; 0: none."""
    scale: npt.NDArray[np.float32]
    """Side of the small copy over that of the image; 1: none."""
    blur: npt.NDArray[np.float32]
    """Standard deviation in pixels; 0: none."""
    noise: npt.NDArray[np.float32]
    """Standard deviation in levels of 255; 0: none."""
    tile_x: npt.NDArray[np.int32]
    """Left and top of the window of `noise_tile` that is added."""
    tile_y: npt.NDArray[np.int32]
    jpeg: npt.NDArray[np.int32]
    """Quality; 0: none."""

    def coloured(self) -> npt.NDArray[np.bool_]:
        """Where the colours are mapped."""
        factors = (self.brightness != 1) | (self.contrast != 1) | (self.saturation != 1)
        return np.asarray(factors | (self.hue != 0))


@dataclass(frozen=True, slots=True)
class Draws:
    """The drawn parameters, arrays of one shape: (views, batch) in the loader."""

    x: npt.NDArray[np.int32]
    """The crop window in whole pixels of the stored image: left, top, width, height; it lies inside the image."""
    y: npt.NDArray[np.int32]
    w: npt.NDArray[np.int32]
    h: npt.NDArray[np.int32]
    flip: npt.NDArray[np.bool_]
    """Whether the window is mirrored left to right."""
    width: npt.NDArray[np.int32]
    """The stored image's size in pixels, as the index has it."""
    height: npt.NDArray[np.int32]
    edited: npt.NDArray[np.bool_]
    """Whether any of the `edits` is to be executed."""
    edits: Edits | None = None
    """None where the augmentation has none."""

    def part(self, places: slice) -> Draws:
        """The draws at some places of the last axis."""
        own = {field.name: getattr(self, field.name)[..., places] for field in fields(self) if field.name != "edits"}
        edits = self.edits and Edits(*(getattr(self.edits, field.name)[..., places] for field in fields(Edits)))
        return Draws(**own, edits=edits)


def draw(
    augment: Augment, seed: int, epoch: int, positions: Ints, view: int | Ints, widths: Ints, heights: Ints
) -> Draws:
    """The parameters of `augment` for the samples at `positions`, images of `widths` x `heights` pixels.

    A function of (seed, epoch, position, view, parameter) alone: worker, rank and backend never enter. `positions`,
    `view`, `widths` and `heights` broadcast together, so views in a column (V, 1) give draws of shape (V, B). For an
    augmentation that is `fixed`, seed and epoch are 0 and hashes of the samples' keys stand for the positions.
    """
    positions, view, widths, heights = np.broadcast_arrays(positions, view, widths, heights)

    def number(parameter: int) -> Floats:
        return uniform(counter_hash(seed, epoch, positions, view, parameter))

    if augment.crop_scale is None:
        w = h = np.minimum(widths, heights)
        x, y = (widths - w) // 2, (heights - h) // 2
    else:
        low, high = augment.crop_scale
        area = (low + (high - low) * number(_AREA)) * widths * heights
        thin, wide = (math.log(side) for side in augment.crop_ratio)
        ratio = np.exp(thin + (wide - thin) * number(_RATIO))
        # A window wider or higher than the image is cut to it: one draw a parameter, so no rejection.
        w = np.clip(np.rint(np.sqrt(area * ratio)), 1, widths)
        h = np.clip(np.rint(np.sqrt(area / ratio)), 1, heights)
        x, y = np.floor(number(_LEFT) * (widths - w + 1)), np.floor(number(_TOP) * (heights - h + 1))
    flip = number(_FLIP) < augment.flip
    window = (x.astype(np.int32), y.astype(np.int32), w.astype(np.int32), h.astype(np.int32), flip)
    stored = (widths.astype(np.int32), heights.astype(np.int32))
    if not augment.operations:
        return Draws(*window, *stored, edited=np.zeros(positions.shape, dtype=np.bool_))

    def strength(parameter: int, chance: float, ends: tuple[float, float], neutral: float) -> npt.NDArray[np.float32]:
        if chance == 0:
            return np.full(positions.shape, neutral, dtype=np.float32)
        drawn = ends[0] + (ends[1] - ends[0]) * number(parameter + 1)
        return np.where(number(parameter) < chance, drawn, neutral).astype(np.float32)

    saturation = strength(_SATURATION, augment.saturation, augment.saturation_factor, 1.0)
    quality = np.floor(
        strength(_JPEG, augment.jpeg, (augment.jpeg_quality[0], augment.jpeg_quality[1] + 1), 0.0).astype(np.float64)
    )
    edits = Edits(
        angle=strength(_ROTATE, augment.rotate, augment.rotate_degrees, 0.0),
        brightness=strength(_BRIGHTNESS, augment.brightness, augment.brightness_factor, 1.0),
        contrast=strength(_CONTRAST, augment.contrast, augment.contrast_factor, 1.0),
        saturation=np.where(number(_GREY) < augment.grey, np.float32(0.0), saturation),
        hue=strength(_HUE, augment.hue, augment.hue_degrees, 0.0),
        scale=strength(_SCALE, augment.scale, augment.scale_factor, 1.0),
        blur=strength(_BLUR, augment.blur, augment.blur_sigma, 0.0),
        noise=strength(_NOISE, augment.noise, augment.noise_std, 0.0),
        tile_x=np.floor(number(_TILE_X) * OFFSETS).astype(np.int32),
        tile_y=np.floor(number(_TILE_Y) * OFFSETS).astype(np.int32),
        jpeg=np.minimum(quality, augment.jpeg_quality[1]).astype(np.int32),
    )
    on = (edits.angle != 0) | edits.coloured() | (edits.scale != 1)
    on |= (edits.blur != 0) | (edits.noise != 0) | (edits.jpeg != 0)
    return Draws(*window, *stored, edited=on, edits=edits)
