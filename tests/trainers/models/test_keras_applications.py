"""Xception and EfficientNet-B0 beside Keras's own, with the same weights."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras

from trainers.models.catalogue import Classifier, build
from trainers.taxonomy import Taxonomy

TWO = Taxonomy(task="detection", classes=("real", "fake"))
SIZE = 96


def images() -> Tensor:
    """Four images in [0, 1] that differ in colour, contrast and noise."""
    generator = torch.Generator().manual_seed(1)
    colour, contrast = (torch.rand(4, 3, 1, 1, generator=generator) for _ in range(2))
    return (colour + contrast * (torch.rand(4, 3, SIZE, SIZE, generator=generator) - 0.5)).clamp(0, 1)


def ours_with_statistics(name: str) -> Classifier:
    """The model with batch norms that hold the images' own statistics, so that signals neither die nor explode."""
    torch.manual_seed(0)
    model = build(name, TWO, size=SIZE).eval()
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momentum = norms[0].momentum
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
        norm.train().momentum = 1.0
    with torch.no_grad():
        model(images())
    for norm in norms:
        norm.eval().momentum = momentum
    return model


def xception() -> tuple[Any, Classifier]:
    keras.utils.clear_session()  # the shortcuts are told apart by their numbers
    theirs = keras.applications.Xception(weights=None, classes=2, input_shape=(SIZE, SIZE, 3))
    ours = ours_with_statistics("xception")
    shortcuts = [layer for layer in theirs.layers if layer.name.startswith(("conv2d", "batch_normalization"))]
    copy([m for name, m in ours.named_modules() if ".skip" in name], sorted(shortcuts, key=number))
    main = [layer for layer in theirs.layers if layer not in shortcuts]
    copy([m for name, m in ours.named_modules() if ".skip" not in name], main)
    return theirs, ours


def number(layer: Any) -> tuple[int, bool]:
    """conv2d, batch_normalization, conv2d_1, batch_normalization_1, ..."""
    digits = layer.name.rpartition("_")[2]
    return int(digits) if digits.isdigit() else 0, layer.name.startswith("batch")


def efficientnet_b0() -> tuple[Any, Classifier]:
    theirs = keras.applications.EfficientNetB0(weights=None, classes=2, input_shape=(SIZE, SIZE, 3))
    ours = ours_with_statistics("efficientnet-b0")
    layers = [layer for layer in theirs.layers if not isinstance(layer, keras.layers.Normalization)]
    copy(list(ours.modules()), layers)
    return theirs, ours


def copy(modules: list[nn.Module], layers: list[Any]) -> None:
    """The tensors of torch's layers into Keras's weights, one for one in order; a shape that differs is an error."""
    tensors = [
        tensor
        for module in modules
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d)
        for name, tensor in module.state_dict().items()
        if name != "num_batches_tracked"
    ]
    weights = [weight for layer in layers for weight in layer.weights]
    for tensor, weight in zip(tensors, weights, strict=True):
        if tensor.dim() == 4:
            depthwise = tensor.shape[1] == 1
            tensor = tensor.permute(2, 3, 0, 1) if depthwise else tensor.permute(2, 3, 1, 0)
        weight.assign(tensor.T.numpy() if tensor.dim() == 2 else tensor.contiguous().numpy())


@pytest.mark.parametrize(("make", "scale"), [(xception, 1), (efficientnet_b0, 255)])
def test_the_same_weights_give_kerass_features_and_probabilities(make: Any, scale: float) -> None:
    """Keras's EfficientNet divides by 255 itself."""
    theirs, ours = make()
    both = keras.Model(theirs.input, [theirs.get_layer("avg_pool").output, theirs.output])
    found = both.predict_on_batch(images().permute(0, 2, 3, 1).numpy() * scale)
    with torch.inference_mode():
        logits, features = ours(images())
    for expected, got in zip(found, (features, logits.softmax(1)), strict=True):
        assert np.ptp(expected, axis=0).max() > 0.01  # else a constant would do
        np.testing.assert_allclose(got.numpy(), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("make", [xception, efficientnet_b0])
def test_batch_norms_have_kerass_constants(make: Any) -> None:
    theirs, ours = make()
    found = {(m.eps, 1 - m.momentum) for m in ours.modules() if isinstance(m, nn.BatchNorm2d)}
    assert found == {(b.epsilon, b.momentum) for b in theirs.layers if isinstance(b, keras.layers.BatchNormalization)}
