"""Published methods as settings of a training: what their papers and code trained with.

A recipe is a starting point: every setting can be given besides, and then wins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dataengine.errors import unknown_name
from trainers.dnadet import recipes as dnadet
from trainers.taxonomy import TASKS, TRANSFORMATION

PRETRAINING = "dna-det-pretrain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A published method."""

    task: str
    source: str
    settings: dict[str, Any] = field(default_factory=dict)
    """By their names in `TrainConfig`."""


_EMPIRICAL = "How Generalizable are Deepfake Detectors? An Empirical Study (its code: Keras, Adam, no augmentation)"


def _empirical(model: str, *, loss: str, lr: float) -> Recipe:
    """The study's training: 256 px divided by 255, from scratch, a constant rate, batches of 32, 100 epochs."""
    settings = {
        "model": model,
        "weights": "none",
        "loss": loss,
        "size": 256,
        "augment": "none",
        "policy": "shuffled",
        "optimizer": "adam",
        "lr": lr,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warmup": 0.0,
        "grad_clip": 0.0,
        "batch": 32,
        "epochs": 100,
    }
    return Recipe(task="detection", source=_EMPIRICAL, settings=settings)


_SUPCON = "deepfake_supcon: supervised contrastive learning for deepfake detection, stage"

RECIPES: dict[str, Recipe] = {
    "mesonet4": _empirical("mesonet4", loss="mse", lr=1e-3),
    "mesoinception4": _empirical("mesoinception4", loss="mse", lr=1e-3),
    "shallownet": _empirical("shallownet", loss="ce", lr=5e-5),
    "xception": _empirical("xception", loss="ce", lr=5e-5),
    "efficientnet-b0": _empirical("efficientnet-b0", loss="ce", lr=5e-5),
    "supcon": Recipe(
        task="detection",
        source=f"{_SUPCON} one (its cosine schedule)",
        settings={
            "model": "resnet50",
            "weights": "none",
            "loss": "supcon",
            "temperature": 0.07,
            "augment": "supcon",
            "optimizer": "sgd",
            "lr": 0.05,
            "weight_decay": 1e-4,
            "warmup": 0.01,
            "batch": 256,
            "epochs": 1000,
        },
    ),
    "supcon-probe": Recipe(
        task="detection",
        source=f"{_SUPCON} two: a linear classifier on the frozen encoder",
        settings={
            "model": "resnet50",
            "frozen": "backbone",
            "augment": "supcon",
            "optimizer": "sgd",
            "lr": 0.1,
            "weight_decay": 0.0,
            "warmup": 0.0,
            "batch": 256,
            "epochs": 100,
        },
    ),
}


def _dnadet(name: str) -> Recipe:
    task = TRANSFORMATION if name == "pretrain" else "attribution"
    return Recipe(task=task, source=f"DNA-Det (Yang et al., AAAI 2022), its {name}", settings=dnadet.recipe(name))


RECIPES |= {
    "dna-det": _dnadet("celeba"),
    "dna-det-lsun": _dnadet("lsun"),
    "dna-det-wild": _dnadet("in_the_wild"),
    PRETRAINING: _dnadet("pretrain"),
}


def recipe_of(name: str) -> dict[str, Any]:
    """The settings of a task or of a published method, the task among them. Raises DfxError for neither."""
    if name in TASKS:
        return {"task": name}
    if name not in RECIPES:
        raise unknown_name("task or method", name, [*TASKS, *RECIPES])
    return {"task": RECIPES[name].task, **RECIPES[name].settings}
