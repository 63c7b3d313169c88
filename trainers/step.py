"""The part of a training step that has gradients: images and labels in, the loss out. What DDP wraps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dataengine.order import counter_hash
from trainers.losses.objective import Objective

if TYPE_CHECKING:
    from trainers.models.catalogue import Classifier

Ints = npt.NDArray[np.int64]


class Step(nn.Module):
    """A model with its objective."""

    def __init__(self, model: Classifier, objective: Objective, *, amp: torch.dtype | None) -> None:
        super().__init__()
        self.model, self.objective = model, objective
        self._amp = amp

    def forward(
        self, images: Tensor, labels: Tensor, corners: Tensor | None = None, patch_px: int = 0
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss with the model's own penalty, a scalar, and its detached terms.

        `images` (B, 3, H, W) or (V, B, 3, H, W) for V views, `labels` int64 (B,). With `corners` int64 (P, V * B, 2),
        the upper left corners (y, x) of P squares of each image, the model sees the squares instead, those of one index
        at a time: batch norm then takes its statistics over as many samples as there are images (as DNA-Det does).
        """
        views = 1 if images.dim() == 4 else len(images)
        images = images if images.dim() == 4 else images.flatten(0, 1)
        with torch.autocast(images.device.type, dtype=self._amp, enabled=self._amp is not None):
            if corners is None:
                logits, features = self.model(images)
            else:
                seen = [self.model(cut(images, corner, patch_px)) for corner in corners]
                logits, features = (torch.cat(parts) for parts in zip(*seen, strict=True))
                views *= len(corners)
        total, terms = self.objective(logits, features, labels.repeat(views), views=views)
        return total + self.model.penalty(), terms


def cut(images: Tensor, corner: Tensor, px: int) -> Tensor:
    """The square of `px` at `corner` (B, 2), (y, x), of each of (B, 3, H, W) images: (B, 3, px, px)."""
    side = torch.arange(px, device=images.device)
    y, x = (corner[:, axis, None] + side for axis in (0, 1))
    image = torch.arange(len(images), device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[image, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)


def draw_corners(seed: int, step: int, images: Ints, *, patches: int, px: int, size: int) -> Ints:
    """Corners of `patches` squares for each image: int64 (patches, len(images), 2) in [0, size - px], evenly.

    A function of (seed, step, image): resuming, and dividing a batch among processes, change none.
    """
    patch, axis = np.arange(patches)[:, None, None], np.arange(2)
    drawn = counter_hash(seed, step, images[None, :, None], patch, axis)
    return (drawn % np.uint64(size - px + 1)).astype(np.int64)
