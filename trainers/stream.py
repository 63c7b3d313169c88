"""The stream that a training learns from, as its settings and its loss ask for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dataengine.augment import Augment
from dataengine.errors import DfxError
from dataengine.loader import Loader
from dataengine.order import Balanced, Groups, Policy
from dataengine.selection import Rows
from trainers.config import TrainConfig
from trainers.models.catalogue import input_spec
from trainers.predict import pick_device
from trainers.taxonomy import Taxonomy
from trainers.transfer.alternating import Alternating
from trainers.transfer.sides import parts_of

MAX_PER_CLASS = 8
"""Samples of a class in a group that `auto` asks for at most: more are fewer classes, and partners are plenty."""

SIDES_APART = 2**32
"""What the seeds of two alternating streams differ by: more than the seeds of two trainings can."""


def train_stream(config: TrainConfig, taxonomy: Taxonomy, rows: Rows, augment: Augment) -> Loader | Alternating:
    """The stream that a training learns from: `train_loader`'s, or with a `mix` those of its two sides in turns."""
    if not config.mix:
        return train_loader(config, taxonomy, rows, augment)
    own, new = (
        train_loader(config, taxonomy, part, augment, seed=config.seed + i * SIDES_APART)
        for i, part in enumerate(parts_of(config, rows))
    )
    return Alternating((own, new))


def train_loader(
    config: TrainConfig, taxonomy: Taxonomy, rows: Rows, augment: Augment, *, seed: int | None = None
) -> Loader:
    """The rows as a training streams them, augmented by `augment`; losses on views have it drawn twice.

    `seed` None: the training's. Rank and world size are those of the process.
    """
    spec, labels = input_spec(config.model, config.size), taxonomy.labels(rows)
    term = config.loss_spec.term
    if term is not None and term.views and not term.patches:
        augment = _two_views(augment)
        if augment.views == 1 and not term.groups:
            raise DfxError(
                f"{term.name} compares views of one image, and '{config.augment}' draws nothing; use --augment crop"
            )
    return Loader(
        rows,
        labels,
        batch=config.batch,
        mode="train",
        policy=policy_of(config, len(np.unique(labels))),
        augment=augment,
        size=spec.size,
        seed=config.seed if seed is None else seed,
        gathered=term is not None,
        device=pick_device(config.device),
        backend=config.backend,
        threads=config.threads,
        mean=spec.mean,
        std=spec.std,
    )


def policy_of(config: TrainConfig, num_classes: int) -> Policy:
    """The order of an epoch over rows of so many classes: the one that was asked for, or what the loss needs.

    For a loss that compares samples of a class, `groups` of as many classes as a batch has room for, each with up to
    MAX_PER_CLASS samples of different clips. Raises DfxError for a batch that holds no two classes of two samples.
    """
    if (given := config.order) is not None:
        return given
    term = config.loss_spec.term
    if term is None or not term.groups:
        return config.limited(Balanced(by=config.by))
    for classes in range(min(num_classes, config.batch // 2), 1, -1):
        for per_class in range(MAX_PER_CLASS, 1, -1):
            if config.batch % (classes * per_class) == 0:
                return config.limited(Groups(classes=classes, per_class=per_class, by=config.by))
    unit = 2 * num_classes
    raise DfxError(
        f"a batch of {config.batch} cannot be cut into groups of two classes or more, which '{config.loss}' compares; "
        f"take a batch of {max(1, round(config.batch / unit)) * unit}, or name a --policy"
    )


def needs_said(config: TrainConfig, taxonomy: Taxonomy, augment: Augment) -> list[str]:
    """What the loss made of settings that were left open, a sentence each, for whoever starts the training."""
    term = config.loss_spec.term
    said: list[str] = []
    if term is None:
        return said
    if config.order is None and term.groups:
        said.append(f"{term.name} compares samples of a class: batches are {policy_of(config, len(taxonomy.classes))}")
    if term.views and not term.patches:
        same = (
            "two views of each image" if augment.random else f"one view of each image: '{config.augment}' draws nothing"
        )
        said.append(f"{term.name} compares views: the model sees {same}")
    if config.patches is not None:
        said.append(f"the model sees {config.patches} random squares of {config.patch_px} px of each image")
    return said


def _two_views(augment: Augment) -> Augment:
    """The augmentation drawn twice a sample. One that draws nothing stays: its two views would be one image."""
    return replace(augment, views=2) if augment.random and augment.views == 1 else augment
