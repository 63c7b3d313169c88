"""One fixed field of gaussian noise: a sample is given a window of it, so that any backend adds the same noise."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dataengine.order import counter_hash, uniform

OFFSETS = 256
"""A window's left and top are drawn from [0, OFFSETS): 65,536 fields of noise."""
STEPS_PER_STD = 32
ZERO = 128
"""A value v of the tile stands for (v - ZERO) / STEPS_PER_STD standard deviations; it ends just below four."""

_TILE = 0x6E6F697365  # where its numbers lie among all that are drawn


@lru_cache(maxsize=2)
def noise_tile(size: int) -> npt.NDArray[np.uint8]:
    """uint8 (size + OFFSETS, size + OFFSETS, 3), read-only: N(0, 1) in steps, by Box and Muller's transform.

    The same number stands at the same pixel for every size.
    """
    side = np.arange(size + OFFSETS, dtype=np.int64)
    row, column, channel = side[:, None, None], side[None, :, None], np.arange(3, dtype=np.int64)
    radius = np.sqrt(-2.0 * np.log1p(-uniform(counter_hash(_TILE, row, column, channel, 0))))
    normal = radius * np.cos(2.0 * np.pi * uniform(counter_hash(_TILE, row, column, channel, 1)))
    tile: npt.NDArray[np.uint8] = np.clip(np.rint(STEPS_PER_STD * normal) + ZERO, 0, 255).astype(np.uint8)
    tile.setflags(write=False)
    return tile
