"""The stream that a training learns from, as its settings say."""

from __future__ import annotations

from dataclasses import replace

from dataengine.augment import Augment
from dataengine.loader import Loader
from dataengine.store import Rows
from trainers.config import TrainConfig, loss_terms
from trainers.models.catalogue import input_spec
from trainers.predict import pick_device
from trainers.taxonomy import Taxonomy


def train_loader(config: TrainConfig, taxonomy: Taxonomy, rows: Rows, augment: Augment) -> Loader:
    """The stream that a training learns from, augmented by `augment`; contrastive losses have it drawn twice."""
    spec = input_spec(config.model, config.size)
    return Loader(
        rows,
        taxonomy.labels(rows),
        batch=config.batch,
        mode="train",
        policy=config.order,
        augment=_two_views(augment) if "supcon" in loss_terms(config.loss) else augment,
        size=spec.size,
        seed=config.seed,
        rank=0,
        world_size=1,
        device=pick_device(config.device),
        backend=config.backend,
        threads=config.threads,
        mean=spec.mean,
        std=spec.std,
    )


def _two_views(augment: Augment) -> Augment:
    """The augmentation drawn twice a sample. One that draws nothing stays: its two views would be one image."""
    return replace(augment, views=2) if augment.random and augment.views == 1 else augment
