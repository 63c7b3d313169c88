"""What every model here is: a network that embeds an image, and a head that reads classes off the embedding."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """What images a model takes."""

    size: int
    """Side in pixels."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    """RGB, for values in [0, 1]."""


class Classifier(nn.Module):
    """`network`: normalised images (N, 3, H, W) -> embedding (N, d); `head`: embedding -> logits (N, C).

    Every network has timm's `group_matcher(coarse=False)`, so that learning rates by depth and freezing work alike.
    """

    def __init__(
        self,
        network: nn.Module,
        head: nn.Module,
        *,
        num_features: int,
        transfer_layers: tuple[str, ...] = ("head.",),
        l2: float = 0.0,
    ) -> None:
        super().__init__()
        self.network = network
        self.head = head
        self.num_features = num_features
        """The width d of the embedding."""
        self.transfer_layers = transfer_layers
        """Prefixes of the names of the parameters that transfer trains, all others frozen: the last layers."""
        self.l2 = l2
        """Factor of `penalty`."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised images (N, 3, H, W) -> logits (N, C) and the embedding that they are made from (N, d)."""
        features = self.network(images)
        return self.head(features), features

    def penalty(self) -> Tensor | float:
        """What training adds to the loss: `l2` times the squares of the network's kernels, as Keras's `l2`
        regulariser has it. 0.0, at no cost, for a model that has none.
        """
        if not self.l2:
            return 0.0
        kernels = [p for p in self.network.parameters() if p.dim() > 1]
        return self.l2 * torch.stack([kernel.square().sum() for kernel in kernels]).sum()


class RealUnit(nn.Linear):
    """A last layer of one unit z, whose sigmoid is P(real): logits [z, 0], since class 0 is `real`.

    Their softmax is exactly (sigmoid(z), 1 - sigmoid(z)).
    """

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features, 1)

    def forward(self, input: Tensor) -> Tensor:
        """Embedding (N, d) -> logits (N, 2)."""
        z = super().forward(input)
        return torch.cat([z, torch.zeros_like(z)], dim=1)


def last_layer(num_features: int, num_classes: int) -> nn.Linear:
    """One unit for two classes, as the small detectors have it; else a unit a class."""
    return RealUnit(num_features) if num_classes == 2 else nn.Linear(num_features, num_classes)
