from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.trainers.losses import formulas
from tests.trainers.losses.made_batch import CLASSES, as_array, made
from trainers.losses.classification import classification_losses
from trainers.losses.spec import CLASSIFICATION, LossSpec

LOGITS, _, LABELS = made(60)
Z, Y = as_array(LOGITS), LABELS.numpy()

CASES = {
    "ce": (LossSpec(), formulas.cross_entropies(Z, Y)),
    "ce, smoothing 0.1": (LossSpec(smoothing=0.1), formulas.cross_entropies(Z, Y, smoothing=0.1)),
    "focal": (LossSpec(loss="focal"), formulas.focal(Z, Y, gamma=2.0)),
    "focal, gamma 0.5": (LossSpec(loss="focal", gamma=0.5), formulas.focal(Z, Y, gamma=0.5)),
    "mse": (LossSpec(loss="mse"), formulas.squared_errors(Z, Y)),
    "softmax-ce": (LossSpec(loss="softmax-ce"), formulas.double_softmax(Z, Y)),
}


@pytest.mark.parametrize("case", CASES)
def test_each_loss_is_its_formula(case: str) -> None:
    spec, expected = CASES[case]
    found = classification_losses(spec, LOGITS, LABELS)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(as_array(found), expected, rtol=1e-5, atol=1e-5)


def test_squared_error_of_two_classes_is_that_of_the_sigmoid() -> None:
    z, labels = LOGITS[:, 0], LABELS % 2
    found = classification_losses(LossSpec(loss="mse"), torch.stack([z, torch.zeros_like(z)], 1), labels)
    expected = formulas.squared_errors_of_the_sigmoid(as_array(z), labels.numpy())
    np.testing.assert_allclose(as_array(found), expected, atol=1e-6)


def test_focal_with_gamma_0_is_cross_entropy() -> None:
    found = classification_losses(LossSpec(loss="focal", gamma=0.0), LOGITS, LABELS)
    torch.testing.assert_close(found, classification_losses(LossSpec(), LOGITS, LABELS))


def test_the_double_softmax_has_a_floor() -> None:
    perfect = torch.eye(CLASSES) * 1000
    found = classification_losses(LossSpec(loss="softmax-ce"), perfect, torch.arange(CLASSES))
    torch.testing.assert_close(found, torch.full((CLASSES,), math.log(1 + (CLASSES - 1) / math.e)))


@pytest.mark.parametrize("loss", CLASSIFICATION)
@given(
    logits=st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), gamma=st.sampled_from([0.0, 0.3, 1.0, 2.0])
)
def test_losses_and_gradients_are_finite_for_any_logits(loss: str, logits: list[float], gamma: float) -> None:
    row = torch.tensor([logits], requires_grad=True)
    spec = LossSpec(loss=loss, gamma=gamma if loss == "focal" else 2.0)
    value = classification_losses(spec, row, torch.tensor([1])).sum()
    value.backward()
    assert row.grad is not None
    assert value.isfinite()
    assert row.grad.isfinite().all()
