"""A batch of what a model gives, and the terms' values on it as the papers' formulas have them."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch
from torch import Tensor

from tests.trainers.losses import formulas
from trainers.losses.embedding import NPAIR_L2
from trainers.losses.objective import Objective
from trainers.losses.spec import TERMS, LossSpec

WIDTH, CLASSES = 12, 5


def made(num: int = 40, *, classes: int = CLASSES, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, features and labels, of classes that overlap."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (num,), generator=generator)
    towards = torch.randn(CLASSES, WIDTH, generator=generator)
    features = torch.randn(num, WIDTH, generator=generator) + towards[labels]
    return torch.randn(num, CLASSES, generator=generator) * 2, features, labels


def objective_of(loss: str, **settings: float) -> Objective:
    """Seeded; its centres away from 0."""
    torch.manual_seed(1)
    objective = Objective(LossSpec(loss=loss, **settings), num_features=WIDTH, num_classes=CLASSES)
    for name, buffer in objective.named_buffers():
        if name.endswith("centres"):
            buffer += torch.randn_like(buffer)
    return objective


def reference(objective: Objective, features: Tensor, labels: Tensor) -> float:
    """The value of the term, of the objective's parameters and rows whose second half are second views."""
    spec = objective.spec
    assert spec.term is not None
    rows = features.double()
    if objective.projection is not None:
        rows = deepcopy(objective.projection).double()(rows)
    z, ids, term = rows.detach().numpy(), labels.numpy(), spec.term.name
    own = {name: value.double().numpy() for name, value in objective.state_dict().items()}
    given = {name: spec.of_term(name) for name in ("temperature", "margin", "scale") if getattr(TERMS[term], name)}
    if term == "ntxent":
        return formulas.ntxent(z, **given)
    if term == "npair":
        return formulas.npair(z, ids, l2=NPAIR_L2)
    if term == "multisimilarity":
        return formulas.multisimilarity(z, ids, base=given["margin"])
    if term == "arcface":
        return formulas.arcface(z, ids, own["term.W"].T, **given)
    if term == "proxyanchor":
        return formulas.proxyanchor(z, ids, own["term.proxies"], **given)
    if term == "centre":
        return formulas.centre(z, ids, own["term.centres"])
    formula = {"supcon": formulas.supcon, "patchwise": formulas.supcon}.get(term) or getattr(formulas, term)
    return float(formula(z, ids, **given))


def difference(found: Tensor | float, expected: float) -> float:
    """Of the larger of the expected value and 1."""
    return abs(float(found) - expected) / max(1.0, abs(expected))


def as_array(tensor: Tensor) -> formulas.Rows:
    return tensor.detach().double().numpy().astype(np.float64)
