"""What Keras's layers are where nothing else is said, for networks that were published in Keras."""

from __future__ import annotations

from torch import nn

EPS = 1e-3
MOMENTUM = 0.01
"""Of batch norm. Keras counts momentum the other way: its 0.99 is what stays, torch's 0.01 what is new."""


def initialise(module: nn.Module) -> None:
    """Draw every kernel Glorot-uniform (Glorot and Bengio, AISTATS 2010) and set every bias to 0, in place.

    For a depthwise kernel Keras and torch swap fan-in and fan-out; the limit depends on their sum alone.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
