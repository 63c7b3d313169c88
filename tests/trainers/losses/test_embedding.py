from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainers.losses import formulas
from tests.trainers.losses.made_batch import CLASSES, as_array, difference, made, objective_of, reference
from trainers.losses.embedding import CENTRE_RATE
from trainers.losses.objective import Objective
from trainers.losses.spec import TERMS

PAIRS = [name for name, term in TERMS.items() if term.projected]
"""Terms that compare rows with rows."""


def value(objective: Objective, features: torch.Tensor, labels: torch.Tensor, views: int = 2) -> torch.Tensor:
    return objective(torch.zeros(len(labels), CLASSES), features, labels, views=views)[0]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", TERMS)
def test_each_term_is_its_papers_formula(name: str, seed: int) -> None:
    objective = objective_of(name)
    _, features, labels = made(seed=seed)
    expected = reference(objective, features, labels)
    assert difference(value(objective, features, labels).detach(), expected) < 1e-5


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("supcon", {"temperature": 0.5}),
        ("ntxent", {"temperature": 0.5}),
        ("triplet", {"margin": 1.0}),
        ("multisimilarity", {"margin": 0.1}),
        ("circle", {"margin": 0.25, "scale": 10.0}),
        ("arcface", {"margin": 0.2, "scale": 10.0}),
        ("arcface", {"margin": 1.5}),
        ("proxyanchor", {"margin": 0.3, "scale": 5.0}),
        ("patchwise", {"temperature": 0.2}),
    ],
)
def test_settings_enter_the_formula(name: str, given: dict[str, float]) -> None:
    _, features, labels = made()
    objective = objective_of(name, **given)
    found = value(objective, features, labels).detach()
    assert difference(found, reference(objective, features, labels)) < 1e-5
    assert difference(found, reference(objective_of(name), features, labels)) > 1e-3


@pytest.mark.parametrize("name", [name for name in TERMS if name != "ntxent"])
@settings(max_examples=25, deadline=None)
@given(labels=st.lists(st.integers(0, CLASSES - 1), min_size=4, max_size=12), seed=st.integers(0, 99))
def test_any_mix_of_classes_gives_the_formula_or_0(name: str, labels: list[int], seed: int) -> None:
    """0 where no row has both a positive and a negative, as with one class; lone rows of a class are left out."""
    ids = torch.tensor(labels)
    _, features, _ = made(len(labels), seed=seed)
    objective = objective_of(name).eval()  # centres stay
    found = value(objective, features, ids, views=1).detach()
    counts = [labels.count(label) for label in labels]
    if name == "npair":
        contrasted = max(counts) > 1
    else:
        contrasted = name not in PAIRS or any(1 < count < len(labels) for count in counts)
    assert difference(found, reference(objective, features, ids) if contrasted else 0) < 1e-5


@pytest.mark.parametrize("name", PAIRS)
def test_a_batch_of_one_class_gives_finite_gradients_to_every_parameter(name: str) -> None:
    _, features, _ = made(8)
    objective = objective_of(name)
    features.requires_grad_()
    value(objective, features, torch.zeros(8, dtype=torch.int64)).backward()
    for gradient in (features.grad, *(p.grad for p in objective.parameters())):
        assert gradient is not None
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", TERMS)
def test_equal_rows_and_rows_of_zeros_give_finite_gradients(name: str) -> None:
    _, _, labels = made(8)
    for features in (torch.ones(8, 12), torch.zeros(8, 12)):
        objective = objective_of(name)
        features.requires_grad_()
        value(objective, features, labels).backward()
        assert features.grad is not None
        assert features.grad.isfinite().all()


@pytest.mark.parametrize("sign", [1, -1])
def test_arcface_is_finite_where_a_row_lies_on_its_class(sign: int) -> None:
    objective = objective_of("arcface")
    with torch.no_grad():
        objective.term.W.copy_(torch.eye(12)[:, :CLASSES])
    features = (sign * torch.eye(12)[:CLASSES]).requires_grad_()
    value(objective, features, torch.arange(CLASSES), views=1).backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()


@pytest.mark.parametrize(("name", "setting"), [("supcon", {"temperature": 0.01}), ("circle", {})])
def test_rows_that_are_learnt_still_count_in_the_mean(name: str, setting: dict[str, float]) -> None:
    """Their loss is 0 in float32."""
    torch.manual_seed(0)
    objective = objective_of(name, **setting)
    features = torch.randn(4, 12).repeat_interleave(2, 0)
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 4])
    found = value(objective, features, labels).detach()
    assert difference(found, reference(objective, features, labels)) < 1e-5


def test_every_second_row_of_a_class_has_a_gradient_in_npair() -> None:
    _, features, _ = made(12)
    features.requires_grad_()
    value(objective_of("npair"), features, torch.arange(12) // 6).backward()
    assert features.grad is not None
    assert (features.grad.abs().sum(1) > 0).all()


def test_centres_move_by_the_papers_rule_in_training_alone() -> None:
    objective = objective_of("centre")
    _, features, labels = made()
    before = as_array(objective.term.centres)
    value(objective.eval(), features, labels)
    assert (as_array(objective.term.centres) == before).all()
    value(objective.train(), features, labels)
    expected = formulas.moved_centres(as_array(features), labels.numpy(), before, CENTRE_RATE)
    assert abs(as_array(objective.term.centres) - expected).max() < 1e-6


def test_margins_of_arcface_are_radians() -> None:
    assert objective_of("arcface", margin=0.5).term.margin == pytest.approx(0.5)
    assert math.degrees(0.5) == pytest.approx(28.65, abs=0.01)
