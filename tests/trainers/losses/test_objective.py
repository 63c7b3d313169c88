from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dataengine.errors import DfxError
from tests.trainers.losses.made_batch import CLASSES, WIDTH, made, objective_of
from trainers.losses.objective import Objective, class_weights
from trainers.losses.spec import CLASSIFICATION, TERMS, LossSpec


def test_cross_entropy_alone_is_torchs() -> None:
    logits, features, labels = made()
    total, terms = objective_of("ce")(logits, features, labels)
    torch.testing.assert_close(total, F.cross_entropy(logits, labels))
    assert terms == {"ce": total}


@pytest.mark.parametrize("name", TERMS)
def test_the_total_is_the_classification_loss_and_the_weighted_term(name: str) -> None:
    logits, features, labels = made()
    for given, weight in (({}, TERMS[name].weight), ({"weight": 0.7}, 0.7)):
        total, terms = objective_of(f"ce+{name}", **given)(logits, features, labels, views=2)
        assert list(terms) == ["ce", name]
        torch.testing.assert_close(total.detach(), terms["ce"] + weight * terms[name])


@pytest.mark.parametrize("name", TERMS)
def test_a_term_alone_is_the_total_and_leaves_the_head_alone(name: str) -> None:
    logits, features, labels = made()
    logits.requires_grad_()
    features.requires_grad_()
    total, terms = objective_of(name)(logits, features, labels, views=2)
    total.backward()
    assert terms == {name: total}
    assert logits.grad is None
    assert features.grad is not None
    assert features.grad.any()


@pytest.mark.parametrize("name", TERMS)
def test_a_term_trains_what_it_owns(name: str) -> None:
    logits, features, labels = made()
    features.requires_grad_()
    objective = objective_of(f"ce+{name}")
    objective(logits, features, labels, views=2)[0].backward()
    assert all(p.grad is not None and p.grad.any() for p in objective.parameters())
    owned = [key for key in objective.state_dict() if key.startswith("term.")]
    assert TERMS[name].learns == bool(owned)
    assert TERMS[name].projected == (objective.projection is not None)


@pytest.mark.parametrize("loss", [*CLASSIFICATION, *TERMS])
def test_half_precision_changes_nothing_but_its_own_rounding(loss: str) -> None:
    logits, features, labels = (x.bfloat16() if x.is_floating_point() else x for x in made())
    expected, _ = objective_of(loss)(logits.float(), features.float(), labels, views=2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        total, terms = objective_of(loss)(logits, features, labels, views=2)
    assert total == expected
    assert all(term.dtype == torch.float32 for term in terms.values())


@pytest.mark.parametrize("loss", CLASSIFICATION)
def test_class_weights_weigh_each_sample_by_its_class(loss: str) -> None:
    logits, features, labels = made()
    weights = torch.tensor([0.5, 1.0, 2.0, 3.0, 4.0])
    spec = LossSpec(loss=loss, class_weights="balanced")
    weighted, _ = Objective(spec, num_features=WIDTH, num_classes=CLASSES, class_weights=weights)(
        logits, features, labels
    )
    plain = objective_of(loss)
    each = torch.stack([plain(logits[[i]], features[[i]], labels[[i]])[0] for i in range(len(labels))])
    torch.testing.assert_close(weighted, (each * weights[labels]).sum() / weights[labels].sum())
    assert abs(float(weighted) - float(each.mean())) > 1e-4


def test_learnt_weights_begin_equal_and_are_trained() -> None:
    logits, features, labels = made()
    objective = objective_of("ce+patchwise", learnt_weights=True)
    total, terms = objective(logits, features, labels, views=2)
    torch.testing.assert_close(total.detach(), 0.5 * (terms["ce"] + terms["patchwise"]) + 2 * torch.tensor(2.0).log())
    total.backward()
    assert objective.loss_weights is not None
    # d/dw of L / (2 w²) + ln(1 + w²) at w = 1
    expected = torch.stack([1 - terms["ce"], 1 - terms["patchwise"]])
    torch.testing.assert_close(objective.loss_weights.grad, expected)


def test_learnt_weights_are_as_the_formula_says_away_from_1() -> None:
    logits, features, labels = made()
    objective = objective_of("ce+supcon", learnt_weights=True)
    assert objective.loss_weights is not None
    with torch.no_grad():
        objective.loss_weights.copy_(torch.tensor([0.5, -2.0]))
    total, terms = objective(logits, features, labels)
    expected = 2 * terms["ce"] + terms["supcon"] / 8 + torch.tensor([1.25, 5.0]).log().sum()
    torch.testing.assert_close(total.detach(), expected)


def test_ntxent_counts_views_of_an_image_and_no_classes() -> None:
    logits, features, labels = made()
    first, _ = objective_of("ntxent")(logits, features, labels, views=2)
    second, _ = objective_of("ntxent")(logits, features, labels.flip(0), views=2)
    assert first == second


def test_ntxent_with_one_view_says_what_to_do() -> None:
    with pytest.raises(DfxError, match="ntxent compares views of an image, and there is one; choose an --augment"):
        objective_of("ce+ntxent")(*made())


def test_the_state_goes_on_with_what_was_learnt() -> None:
    logits, features, labels = made()
    for name in TERMS:
        trained = objective_of(f"ce+{name}")
        trained(logits, features, labels, views=2)
        again = Objective(trained.spec, num_features=WIDTH, num_classes=CLASSES)
        again.load_state_dict(trained.state_dict())
        assert again(logits, features, labels, views=2)[0] == trained(logits, features, labels, views=2)[0]


def test_class_weights_average_to_one_over_the_rows() -> None:
    labels = np.repeat([0, 1, 2], [5, 1, 94])
    weights = class_weights("balanced", labels, 3)
    assert weights is not None
    assert weights.numpy()[labels].mean() == pytest.approx(1.0)
    assert class_weights("none", labels, 3) is None
    with pytest.raises(DfxError, match="unknown class weights 'even'"):
        class_weights("even", labels, 3)
