"""MesoNet-4 and MesoInception-4 (Afchar et al., WIFS 2018, arXiv 1809.00888), layer for layer.

Convolution, ReLU, batch norm, max-pool, in this order; 'same' padding as TensorFlow has it; Keras's constants and
initialisation. At 256 px the maps end at 8 x 8 x 16 = 1024 values, which go into a layer of 16 units: the embedding.
"""

from __future__ import annotations

from typing import Any

import torch
from timm.layers import create_pool2d
from torch import Tensor, nn

from trainers.models.classifier import Classifier, InputSpec, last_layer
from trainers.models.keras_defaults import EPS, MOMENTUM, initialise

INPUT = InputSpec(size=256, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
"""Values in [0, 1], as they are."""

NUM_FEATURES = 16


class MesoNet(nn.Module):
    """Four blocks and a dense layer; `inception`: the first two blocks are inception modules.

    Images (N, 3, size, size) in [0, 1] -> (N, 16), after the leaky ReLU. Any size will do; the dense layer fits one.
    """

    def __init__(self, *, size: int, inception: bool) -> None:
        super().__init__()
        if inception:
            first: nn.Module = Inception(3, (1, 4, 4, 2))
            second: nn.Module = Inception(11, (2, 4, 4, 2))
        else:
            first, second = _conv(3, 8, 3), _conv(8, 8, 5)
        width_1, width_2 = (11, 12) if inception else (8, 8)
        self.block1 = _block(first, width_1, pool=2)
        self.block2 = _block(second, width_2, pool=2)
        self.block3 = _block(_conv(width_2, 16, 5), 16, pool=2)
        self.block4 = _block(_conv(16, 16, 5), 16, pool=4)
        side = -(-size // 32)  # each pool rounds up, and so does their product
        self.dense = nn.Linear(16 * side * side, NUM_FEATURES)
        self.dropout = nn.Dropout(0.5)
        self.activation = nn.LeakyReLU(0.1)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, size, size) -> embedding (N, 16)."""
        maps = self.block4(self.block3(self.block2(self.block1(images))))
        features: Tensor = self.activation(self.dense(self.dropout(maps.flatten(1))))
        return features

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """The layers by depth, in timm's sense; there is nothing finer than a block."""
        return {"stem": r"^block1", "blocks": [(r"^block(\d+)", None), (r"^dense", (99,))]}


class Inception(nn.Module):
    """Four branches beside each other, of `widths` channels: 1x1, and 1x1 then 3x3 with dilation 1, 2 and 3."""

    def __init__(self, num_inputs: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        a, b, c, d = widths
        self.branches = nn.ModuleList(
            [
                _conv(num_inputs, a, 1),
                nn.Sequential(_conv(num_inputs, b, 1), nn.ReLU(), _conv(b, b, 3)),
                nn.Sequential(_conv(num_inputs, c, 1), nn.ReLU(), _conv(c, c, 3, dilation=2)),
                nn.Sequential(_conv(num_inputs, d, 1), nn.ReLU(), _conv(d, d, 3, dilation=3)),
            ]
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, num_inputs, H, W) -> (N, sum(widths), H, W), before the last ReLU."""
        return torch.cat([branch(maps) for branch in self.branches], dim=1)


def mesonet4(num_classes: int, size: int) -> Classifier:
    """MesoNet-4: 27,977 trained parameters for two classes at 256 px, 28,073 with the batch norms' statistics."""
    return _classifier(MesoNet(size=size, inception=False), num_classes)


def mesoinception4(num_classes: int, size: int) -> Classifier:
    """MesoInception-4: 28,615 trained parameters for two classes at 256 px, 28,725 with the batch norms' statistics."""
    return _classifier(MesoNet(size=size, inception=True), num_classes)


def _classifier(network: MesoNet, num_classes: int) -> Classifier:
    head = nn.Sequential(nn.Dropout(0.5), last_layer(NUM_FEATURES, num_classes))
    model = Classifier(network, head, num_features=NUM_FEATURES, transfer_layers=("network.dense.", "head."))
    initialise(model)
    return model


def _conv(num_inputs: int, width: int, kernel: int, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(num_inputs, width, kernel, padding=dilation * (kernel // 2), dilation=dilation)


def _block(conv: nn.Module, width: int, *, pool: int) -> nn.Sequential:
    return nn.Sequential(
        conv, nn.ReLU(), nn.BatchNorm2d(width, eps=EPS, momentum=MOMENTUM), create_pool2d("max", pool, padding="same")
    )
