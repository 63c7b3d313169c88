"""DNA-Det's network: eight convolutions and the mean over the picture (Yang et al., AAAI 2022, arXiv 2202.13843).

It is trained on patches and sees whole pictures in evaluation: it has no layer that fixes a size. Patches are to run
through it one crop index at a time, so that a batch normalisation's statistics are over one patch of each picture, as
in the authors' code.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from dataengine.errors import DfxError
from trainers.models.classifier import Classifier, InputSpec

SIZE_PX = 512
MEAN = STD = (0.5, 0.5, 0.5)
"""What pictures are scaled to, and normalised with, for RGB in [0, 1]."""

INPUT = InputSpec(size=SIZE_PX, mean=MEAN, std=STD)

SMALLEST_PX = 16
"""Side of a picture of which the last stage has something left."""

NUM_FEATURES = 512
DROPOUT = 0.2
_WIDTHS = (3, 64, 128, 256, NUM_FEATURES)
_SLOPE = 0.2


class Network(nn.Module):
    """Normalised pictures (N, 3, H, W), H and W at least 16, to embeddings (N, 512).

    Four stages, each a 4 x 4 convolution of stride 2 and a 3 x 3 one, both followed by batch normalisation and a leaky
    ReLU of slope 0.2. Weights are drawn as torch draws them by default.
    """

    num_features = NUM_FEATURES

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.Sequential(
            *(
                nn.Sequential(_block(before, width, side=4, stride=2), _block(width, width, side=3, stride=1))
                for before, width in pairwise(_WIDTHS)
            )
        )
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 512)."""
        embedding: Tensor = self.pool(self.stages(images)).flatten(1)
        return embedding

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Which layers belong together, from the input on, as timm's networks tell it: four stages, or eight blocks."""
        return {"blocks": r"^stages\.(\d+)" if coarse else r"^stages\.(\d+)\.(\d+)"}


def _block(before: int, width: int, *, side: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, width, side, stride=stride, padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.LeakyReLU(_SLOPE, inplace=True))


def network() -> Network:
    """DNA-Det's network, its weights drawn from torch's generator."""
    return Network()


def head(num_classes: int) -> nn.Sequential:
    """Its classifier: embeddings (N, 512) to logits (N, C). The softmax that the authors put behind it is a loss here,
    `softmax-ce`."""
    return nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(NUM_FEATURES, num_classes))


def dnadet(num_classes: int, size: int) -> Classifier:
    """DNA-Det for images of any `size` from SMALLEST_PX on. Its last convolutions and the classifier are what transfer
    trains. Raises DfxError for a smaller size."""
    if size < SMALLEST_PX:
        raise DfxError(f"dna-det cannot be built for {size} px, only from {SMALLEST_PX} px on; choose another --size")
    transfer = ("network.stages.3.", "head.")
    return Classifier(network(), head(num_classes), num_features=NUM_FEATURES, transfer_layers=transfer)
