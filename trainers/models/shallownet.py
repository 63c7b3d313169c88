"""ShallowNet V3 (Tariq et al., MPS 2018), as the study of detectors' generalisability used it: one sigmoid unit.

Few layers, many weights: without padding or a global pool, the first dense layer alone has 118 million at 256 px.
Keras's constants and initialisation. The embedding is the 1024 units of the dense layer after their ReLU, so that the
head is all that comes behind them: batch norm, dropout and the last unit.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from dataengine.errors import DfxError
from trainers.models.classifier import Classifier, InputSpec, last_layer
from trainers.models.keras_defaults import EPS, MOMENTUM, initialise

INPUT = InputSpec(size=256, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
"""Values in [0, 1], as they are."""

NUM_FEATURES = 1024
MIN_SIZE = 20
"""The side in pixels of which one pixel is left after the last convolution."""

L2 = 1e-4
"""Of every kernel but the last unit's."""


class ShallowNet(nn.Module):
    """Eight unpadded convolutions with two max-pools among them, and a dense layer.

    Images (N, 3, size, size) in [0, 1] -> (N, 1024), after the ReLU.
    """

    def __init__(self, *, size: int) -> None:
        super().__init__()
        self.block1 = _block(3, (32, 32, 32), (5, 1, 1), pool=True)
        self.block2 = _block(32, (64, 64, 64), (3, 1, 1), pool=True)
        self.block3 = _block(64, (128, 32), (3, 1), pool=False)
        side = ((size - 4) // 2 - 2) // 2 - 2
        self.dense = nn.Linear(32 * side * side, NUM_FEATURES)
        self.activation = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, size, size) -> embedding (N, 1024)."""
        maps = self.block3(self.block2(self.block1(images)))
        features: Tensor = self.activation(self.dense(maps.flatten(1)))
        return features

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """The layers by depth, in timm's sense."""
        blocks = r"^block(\d+)" if coarse else r"^block(\d+)\.(\d+)"
        return {"stem": r"^block1\.0\.", "blocks": [(blocks, None), (r"^dense", (99,))]}


def shallownet(num_classes: int, size: int) -> Classifier:
    """ShallowNet V3: 118,078,241 trained parameters for two classes at 256 px. Its `penalty` is Keras's L2 of 1e-4.

    Raises DfxError below 20 px.
    """
    if size < MIN_SIZE:
        raise DfxError(f"shallownet cannot be built for {size} px; choose a --size of at least {MIN_SIZE}")
    head = nn.Sequential(
        nn.BatchNorm1d(NUM_FEATURES, eps=EPS, momentum=MOMENTUM),
        nn.Dropout(0.25),
        last_layer(NUM_FEATURES, num_classes),
    )
    transfer = ("network.dense.", "head.")
    model = Classifier(ShallowNet(size=size), head, num_features=NUM_FEATURES, transfer_layers=transfer, l2=L2)
    initialise(model)
    return model


def _block(num_inputs: int, widths: tuple[int, ...], kernels: tuple[int, ...], *, pool: bool) -> nn.Sequential:
    """A dropout behind each convolution; behind the pool where one follows."""
    layers: list[nn.Module] = []
    for i, (width, kernel) in enumerate(zip(widths, kernels, strict=True)):
        layers += [nn.Conv2d(num_inputs, width, kernel), nn.ReLU()]
        if pool and i == len(widths) - 1:
            layers.append(nn.MaxPool2d(2))
        layers.append(nn.Dropout(0.25))
        num_inputs = width
    return nn.Sequential(*layers)
