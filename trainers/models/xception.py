"""Keras's stock Xception (Chollet, CVPR 2017, arXiv 1610.02357) on timm's modules.

timm's `legacy_xception` has the layers of Keras's. What is put right here: batch norm's eps and momentum, max-pools
padded as TensorFlow pads (at even sizes timm's windows lie one pixel further up and left), and the initialisation.
Nothing else in the network differs from Keras. Images are in [0, 1], not the [-1, 1] of ImageNet's weights: the study
divides by 255 and trains from scratch.
"""

from __future__ import annotations

import timm
from timm.layers import create_pool2d
from torch import nn

from dataengine.errors import DfxError
from trainers.models.classifier import Classifier, InputSpec
from trainers.models.keras_defaults import EPS, MOMENTUM, initialise

INPUT = InputSpec(size=256, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
"""Values in [0, 1], as they are."""

MIN_SIZE = 71
"""Keras refuses smaller images."""


def xception(num_classes: int, size: int) -> Classifier:
    """Xception with a unit a class: 20,811,050 trained parameters for two. Raises DfxError below 71 px."""
    if size < MIN_SIZE:
        raise DfxError(f"xception cannot be built for {size} px; choose a --size of at least {MIN_SIZE}")
    network = timm.create_model("legacy_xception", num_classes=0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps, layer.momentum = EPS, MOMENTUM
    for block in (network.block1, network.block2, network.block3, network.block12):
        block.rep[-1] = create_pool2d("max", 3, 2, padding="same")
    model = Classifier(
        network,
        nn.Linear(network.num_features, num_classes),
        num_features=network.num_features,
        transfer_layers=("network.conv4.", "network.bn4.", "head."),
    )
    initialise(model)
    return model
