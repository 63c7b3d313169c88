"""How DNA-Det is trained, as settings of a training: the authors' numbers (arXiv 2202.13843 and their repository).

A recipe is plain data with `TrainConfig`'s names, for a training to be laid over. Batches count pictures: the authors'
hold B of each class, which is `balanced` here with a batch of B times C.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dataengine.errors import unknown_name

Value = str | int | float | bool
Recipe = Mapping[str, Value]

FAITHFUL = "softmax-ce+patchwise"
"""The authors' loss: cross-entropy takes probabilities for logits, so it never falls below
ln(1 + (C - 1) / e): 0.905 for 5 classes, 1.543 for 11."""
FIXED = "ce+patchwise"
"""The same with cross-entropy of the logits."""

_COMMON: Recipe = {
    "model": "dna-det",
    "learnt_weights": True,
    "patches": 16,
    "patch_px": 64,
    "size": 512,
    "optimizer": "adam",
    "weight_decay": 0.0,
    "schedule": "step",
    "step_gamma": 0.9,
    "weights": "none",
    "warmup": 0.0,
    "grad_clip": 0.0,
    "patience": 20,
    "augment": "none",
}
_TRAINING: Recipe = {**_COMMON, "loss": FAITHFUL, "policy": "balanced", "epochs": 30}

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        # The authors' network gives logits here. The class is drawn for each picture, so there is nothing to balance.
        "pretrain": {
            **_COMMON,
            "loss": FIXED,
            "policy": "shuffled",
            "epochs": 50,
            "lr": 1e-4,
            "step_size": 500,
            "batch": 128,
        },
        "celeba": {**_TRAINING, "lr": 1e-4, "step_size": 500, "batch": 32 * 5},
        "lsun": {**_TRAINING, "lr": 1e-3, "step_size": 2500, "batch": 32 * 5},
        "in_the_wild": {**_TRAINING, "lr": 1e-3, "step_size": 2500, "batch": 16 * 11},
    }
)
"""By the authors' names of their configurations."""


def recipe(name: str, *, faithful: bool = True) -> dict[str, Value]:
    """The settings of a recipe; not `faithful`: without the second softmax. Raises DfxError for an unknown name."""
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    settings = dict(RECIPES[name])
    return settings if faithful else {**settings, "loss": FIXED}
