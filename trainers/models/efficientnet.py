"""EfficientNet-B0 (Tan and Le, ICML 2019, arXiv 1905.11946) with Keras's constants, on timm's `tf_efficientnet_b0`.

timm's network has TensorFlow's padding and eps already; momentum, dropout and the last layer's initialisation are put
right here. What differs from Keras: convolutions start from a normal distribution of the same variance, which Keras
cuts off at two standard deviations. Images are in [0, 1]: the study divides by 255 and trains from scratch.
"""

from __future__ import annotations

import timm
from torch import nn

from trainers.models.classifier import Classifier, InputSpec
from trainers.models.keras_defaults import EPS, MOMENTUM

INPUT = InputSpec(size=256, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
"""Values in [0, 1], as they are."""


def efficientnet_b0(num_classes: int, size: int) -> Classifier:
    """EfficientNet-B0 with a unit a class: 4,010,110 trained parameters for two. Any size will do."""
    network = timm.create_model(
        "tf_efficientnet_b0",
        num_classes=0,
        bn_eps=EPS,
        bn_momentum=MOMENTUM,
        drop_path_rate=0.2,
    )
    last = nn.Linear(network.num_features, num_classes)
    limit = num_classes**-0.5  # Keras: VarianceScaling(1 / 3, "fan_out", "uniform")
    nn.init.uniform_(last.weight, -limit, limit)
    nn.init.zeros_(last.bias)
    return Classifier(
        network,
        nn.Sequential(nn.Dropout(0.2), last),
        num_features=network.num_features,
        transfer_layers=("network.conv_head.", "network.bn2.", "head."),
    )
