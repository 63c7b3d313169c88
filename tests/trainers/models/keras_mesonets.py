"""MesoNet-4 and MesoInception-4 in Keras, as their authors describe them, with weights and statistics at random."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from keras import layers


def mesonet4() -> Any:
    x = image = keras.Input((256, 256, 3))
    for width, kernel, pool in ((8, 3, 2), (8, 5, 2), (16, 5, 2), (16, 5, 4)):
        x = _pooled(_conv(width, kernel)(x), pool)
    return _randomised(keras.Model(image, _classified(x)))


def mesoinception4() -> Any:
    x = image = keras.Input((256, 256, 3))
    x = _pooled(_inception(x, 1, 4, 4, 2), 2)
    x = _pooled(_inception(x, 2, 4, 4, 2), 2)
    x = _pooled(_conv(16, 5)(x), 2)
    x = _pooled(_conv(16, 5)(x), 4)
    return _randomised(keras.Model(image, _classified(x)))


def _conv(width: int, kernel: int, dilation: int = 1) -> Any:
    return layers.Conv2D(width, kernel, padding="same", dilation_rate=dilation, activation="relu")


def _inception(x: Any, a: int, b: int, c: int, d: int) -> Any:
    branches = [_conv(a, 1)(x)]
    for dilation, width in enumerate((b, c, d), start=1):
        narrow = _conv(width, 1)(x)  # made first, as the authors do: Keras numbers layers as they are made
        branches.append(_conv(width, 3, dilation)(narrow))
    return layers.Concatenate()(branches)


def _pooled(x: Any, pool: int) -> Any:
    return layers.MaxPooling2D(pool, padding="same")(layers.BatchNormalization()(x))


def _classified(x: Any) -> Any:
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    x = layers.LeakyReLU(negative_slope=0.1)(layers.Dense(16)(x))
    return layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(x))


def _randomised(model: Any, seed: int = 0) -> Any:
    """Biases and batch norm's four vectors too, which start at 0 and 1."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name == "kernel":
            values = rng.normal(0, np.prod(weight.shape[:-1]) ** -0.5, weight.shape)
        elif weight.name in ("gamma", "moving_variance"):
            values = rng.uniform(0.5, 2.0, weight.shape)
        else:
            values = rng.uniform(-0.5, 0.5, weight.shape)
        weight.assign(values.astype("float32"))
    return model
