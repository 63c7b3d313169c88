"""ArcFace (Deng et al., CVPR 2019, equation 3) with a gradient on the class's own direction."""

from __future__ import annotations

import math

import torch
from pytorch_metric_learning.losses import ArcFaceLoss
from torch import Tensor


class ArcFace(ArcFaceLoss):  # type: ignore[misc]
    """Where a row lies on its class, or opposite to it, the angle has no slope: it counts as 0 there.

    The arc cosine's own is infinite, and torch before 2.15 hands that on through the library's clamp.
    """

    def get_angles(self, cosine_of_target_classes: Tensor) -> Tensor:
        """Radians in [0, pi] of cosines, same shape; rounding may have left those a little outside of [-1, 1]."""
        inside = cosine_of_target_classes.abs() < 1
        ends = torch.where(cosine_of_target_classes > 0, 0.0, math.pi)
        return torch.where(inside, torch.acos(cosine_of_target_classes.where(inside, 0.0)), ends)
