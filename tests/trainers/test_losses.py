from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dataengine.errors import DfxError
from trainers.losses import Objective, class_weights


def batch(num: int = 24, classes: int = 4, width: int = 8) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(num) % classes
    return (
        torch.randn(num, classes, generator=generator),
        torch.randn(num, width, generator=generator),
        labels,
    )


def supcon(z: torch.Tensor, labels: torch.Tensor, temperature: float) -> float:
    """The formula of the paper (L_out), term by term, in float64."""
    z = F.normalize(z.double(), dim=1)
    terms = []
    for a in range(len(z)):
        others = [i for i in range(len(z)) if i != a]
        total = torch.stack([(z[a] @ z[i] / temperature).exp() for i in others]).sum()
        positives = [i for i in others if labels[i] == labels[a]]
        terms.append(-sum((z[a] @ z[p] / temperature - total.log()) for p in positives) / len(positives))
    return float(torch.stack(terms).mean())


def test_cross_entropy_alone_is_torchs() -> None:
    logits, features, labels = batch()
    total, terms = Objective("ce", num_features=8)(logits, features, labels)
    assert total == F.cross_entropy(logits, labels)
    assert terms == {"ce": total}


def test_the_contrastive_term_is_the_papers_formula() -> None:
    torch.manual_seed(0)
    objective = Objective("ce+supcon", num_features=8, temperature=0.07)
    logits, features, labels = batch()
    _, terms = objective(logits, features, labels)
    assert objective.projection is not None
    expected = supcon(objective.projection(features).detach(), labels, 0.07)
    assert float(terms["supcon"]) == pytest.approx(expected, rel=1e-5)


def test_the_total_is_cross_entropy_and_the_weighted_term() -> None:
    logits, features, labels = batch()
    total, terms = Objective("ce+supcon", num_features=8, supcon_weight=0.25)(logits, features, labels)
    assert float(total.detach()) == pytest.approx(float(terms["ce"] + 0.25 * terms["supcon"]), rel=1e-6)


def test_the_contrastive_term_reaches_the_embedding() -> None:
    logits, features, labels = batch()
    features.requires_grad_()
    Objective("ce+supcon", num_features=8)(logits, features, labels)[0].backward()
    assert features.grad is not None
    assert features.grad.abs().sum() > 0


def test_terms_are_float32_under_autocast() -> None:
    logits, features, labels = batch()
    objective = Objective("ce+supcon", num_features=8)
    outside, _ = objective(logits, features, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside, terms = objective(logits, features, labels)
    assert inside == outside
    assert terms["supcon"].dtype == torch.float32


def test_class_weights_change_the_loss_as_the_formula_says() -> None:
    logits, features, labels = batch()
    weights = class_weights("balanced", np.repeat([0, 1, 2, 3], [10, 20, 30, 40]), 4)
    assert weights is not None
    torch.testing.assert_close(weights, torch.tensor([100 / 40, 100 / 80, 100 / 120, 100 / 160]))
    weighted, _ = Objective("ce", num_features=8, class_weights=weights)(logits, features, labels)
    plain, _ = Objective("ce", num_features=8)(logits, features, labels)
    each = F.cross_entropy(logits, labels, reduction="none")
    assert float(weighted) == pytest.approx(float((each * weights[labels]).sum() / weights[labels].sum()), rel=1e-6)
    assert abs(float(weighted) - float(plain)) > 1e-3


def test_class_weights_average_to_one_over_the_rows() -> None:
    labels = np.repeat([0, 1, 2], [5, 1, 94])
    weights = class_weights("balanced", labels, 3)
    assert weights is not None
    assert weights.numpy()[labels].mean() == pytest.approx(1.0)


def test_an_unknown_loss_is_named_with_the_nearest() -> None:
    with pytest.raises(DfxError, match=r"unknown loss 'ce\+subcon'; did you mean ce\+supcon"):
        Objective("ce+subcon", num_features=8)
