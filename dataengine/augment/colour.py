"""Brightness, contrast, saturation and hue as one affine map of colours."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

_MID_GREY = 128.0
# NTSC's YIQ: luma, and the colour plane in which hue is an angle. The inverse of the rounded matrix, as DALI takes it.
_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.321], [0.211, -0.523, 0.311]])
_RGB = np.linalg.inv(_YIQ)


def colour_matrix(brightness: float, contrast: float, saturation: float, hue: float) -> npt.NDArray[np.float32]:
    """float32 (3, 4) A, so that a pixel's new RGB in [0, 255] is A @ (R, G, B, 1), cut to that range.

    First `hue` degrees and the factor `saturation` in the colour plane of YIQ, then `contrast` about mid-grey, then
    `brightness`: the map of DALI's `color_twist`, so that both backends give the same colours.
    """
    angle = math.radians(hue)
    cos, sin = saturation * math.cos(angle), saturation * math.sin(angle)
    turn = np.array([[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]])
    linear = brightness * contrast * (_RGB @ turn @ _YIQ)
    offset = np.full((3, 1), brightness * (1.0 - contrast) * _MID_GREY)
    return np.hstack([linear, offset]).astype(np.float32)
