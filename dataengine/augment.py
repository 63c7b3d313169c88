"""What is done to the sample at a position: pure draws of parameters, which the backends only execute."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from dataengine.errors import DfxError, unknown_name
from dataengine.order import counter_hash, uniform

Ints = npt.NDArray[np.int64]

_AREA, _RATIO, _LEFT, _TOP, _FLIP = range(5)  # parameter numbers: they enter the hash, so they never change


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """What is drawn for each view of a sample. The window is scaled to the loader's size."""

    name: str
    crop_scale: tuple[float, float] | None = None
    """The window's share of the image's area; None: the largest centred square."""
    crop_ratio: tuple[float, float] = (1.0, 1.0)
    """The window's width / height, drawn evenly in its logarithm."""
    flip: float = 0.0
    """Probability of a horizontal flip."""
    views: int = 1
    """Independent draws of each sample in a batch."""

    def __post_init__(self) -> None:
        low, high = self.crop_scale or (1.0, 1.0)
        if not 0.0 < low <= high <= 1.0:
            raise DfxError(f"crop_scale {self.crop_scale} of augmentation '{self.name}' is no range within (0, 1]")
        if not 0.0 < self.crop_ratio[0] <= self.crop_ratio[1]:
            raise DfxError(f"crop_ratio {self.crop_ratio} of augmentation '{self.name}' is no range above 0")
        if not 0.0 <= self.flip <= 1.0:
            raise DfxError(f"flip {self.flip} of augmentation '{self.name}' is no probability; give 0 to 1")
        if self.views < 1:
            raise DfxError(f"augmentation '{self.name}' has {self.views} views; give at least 1")

    @property
    def digest(self) -> str:
        """Hex, the same for the same settings under any name."""
        settings = {key: value for key, value in asdict(self).items() if key != "name"}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


# At least half of the face stays in view, its shape nearly so: a stronger crop resamples the traces that tell a method.
_CROP = Augment(name="crop", crop_scale=(0.5, 1.0), crop_ratio=(0.8, 1.25), flip=0.5)

PRESETS = {
    "none": Augment(name="none"),
    "flip": Augment(name="flip", flip=0.5),
    "crop": _CROP,
    "supcon": replace(_CROP, name="supcon", views=2),
}
"""none: the centred largest square. flip: that, flipped half of the time. crop: a random window, flipped half of the
time. supcon: two views of crop, for contrastive losses."""


def augment_preset(name: str) -> Augment:
    """The augmentation called `name`; raises the error that names the nearest for one that is not there."""
    if name not in PRESETS:
        raise unknown_name("augmentation", name, PRESETS)
    return PRESETS[name]


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

    def part(self, places: slice) -> Draws:
        """The draws at some places of the last axis."""
        x, y, w, h = (side[..., places] for side in (self.x, self.y, self.w, self.h))
        return Draws(x, y, w, h, self.flip[..., places])


def draw(
    augment: Augment, seed: int, epoch: int, positions: Ints, view: int | Ints, widths: Ints, heights: Ints
) -> Draws:
    """The parameters of `augment` for the samples at `positions`, images of `widths` x `heights` pixels.

    A function of (seed, epoch, position, view, parameter) alone: worker, rank and backend never enter. `positions`,
    `view`, `widths` and `heights` broadcast together, so views in a column (V, 1) give draws of shape (V, B).
    """
    positions, view, widths, heights = np.broadcast_arrays(positions, view, widths, heights)

    def number(parameter: int) -> npt.NDArray[np.float64]:
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
    return Draws(
        x=x.astype(np.int32),
        y=y.astype(np.int32),
        w=w.astype(np.int32),
        h=h.astype(np.int32),
        flip=number(_FLIP) < augment.flip,
    )
