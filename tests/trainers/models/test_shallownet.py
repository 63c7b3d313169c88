from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from keras import layers

from trainers.models.catalogue import Classifier, build
from trainers.taxonomy import Taxonomy

SIZE = 40
SIDE = 6


@pytest.fixture(scope="module")
def pair() -> tuple[Any, Classifier]:
    """ShallowNet V3 in Keras, as the study describes it, and ours with the same weights, drawn at random."""
    l2: dict[str, Any] = {"activation": "relu", "kernel_regularizer": keras.regularizers.L2(1e-4)}
    theirs = keras.Sequential([keras.Input((SIZE, SIZE, 3))])
    for width, kernel, pooled in (
        (32, 5, False), (32, 1, False), (32, 1, True),
        (64, 3, False), (64, 1, False), (64, 1, True),
        (128, 3, False), (32, 1, False),
    ):  # fmt: skip
        theirs.add(layers.Conv2D(width, kernel, **l2))
        if pooled:
            theirs.add(layers.MaxPooling2D(2))
        theirs.add(layers.Dropout(0.25))
    theirs.add(layers.Flatten())
    theirs.add(layers.Dense(1024, **l2))
    theirs.add(layers.BatchNormalization())
    theirs.add(layers.Dropout(0.25))
    theirs.add(layers.Dense(1, activation="sigmoid"))
    ours = build("shallownet", Taxonomy(task="detection", classes=("real", "fake")), size=SIZE).eval()
    tensors = [tensor for name, tensor in ours.state_dict().items() if not name.endswith("num_batches_tracked")]
    rng = np.random.default_rng(0)
    for weight, tensor in zip(theirs.weights, tensors, strict=True):
        if weight.name == "kernel":
            drawn = rng.normal(0, (2 / np.prod(weight.shape[:-1])) ** 0.5, weight.shape)
        else:
            drawn = rng.uniform(0.1, 1.0, weight.shape)
        weight.assign(drawn.astype("float32"))
        value = torch.from_numpy(np.array(keras.ops.convert_to_numpy(weight)))
        if value.shape == (32 * SIDE * SIDE, 1024):
            value = value.unflatten(0, (SIDE, SIDE, 32)).permute(2, 0, 1, 3).flatten(0, 2)
        tensor.copy_(value.permute(3, 2, 0, 1) if value.dim() == 4 else value.T if value.dim() == 2 else value)
    return theirs, ours


def test_the_same_weights_give_kerass_probabilities(pair: tuple[Any, Classifier]) -> None:
    theirs, ours = pair
    rng = np.random.default_rng(1)
    images = rng.random((4, 1, 1, 3), dtype=np.float32) * rng.random((4, SIZE, SIZE, 3), dtype=np.float32)
    p_real = np.asarray(theirs.predict_on_batch(images))[:, 0]
    with torch.inference_mode():
        logits, _ = ours(torch.from_numpy(images).permute(0, 3, 1, 2))
    assert np.ptp(p_real) > 1e-3  # else a constant would do
    np.testing.assert_allclose(logits.softmax(1)[:, 0].numpy(), p_real, rtol=0, atol=1e-5)


def test_the_penalty_is_kerass(pair: tuple[Any, Classifier]) -> None:
    theirs, ours = pair
    assert len(theirs.losses) == 9
    assert float(ours.penalty().detach()) == pytest.approx(
        sum(float(keras.ops.convert_to_numpy(loss)) for loss in theirs.losses), rel=1e-5
    )


def test_the_embedding_is_the_dense_layer_after_its_relu_and_the_head_the_rest(pair: tuple[Any, Classifier]) -> None:
    _, ours = pair
    _, features = ours(torch.rand(2, 3, SIZE, SIZE))
    assert features.shape == (2, 1024)
    assert features.min() == 0
    assert [type(layer) for layer in ours.head][:2] == [nn.BatchNorm1d, nn.Dropout]
