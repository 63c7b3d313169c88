"""What training minimises: cross-entropy, and terms on the embedding beside it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dataengine.errors import unknown_name
from trainers.config import CLASS_WEIGHTS, TrainConfig, loss_terms

PROJECTION_DIM = 128


class Projection(nn.Module):
    """The head of contrastive terms: d -> d -> 128, ReLU between, of unit length (SupCon, section 3.1).

    Training needs it, classification does not: it belongs to the objective, and is no part of a run's weights.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(num_features, num_features), nn.ReLU(), nn.Linear(num_features, PROJECTION_DIM)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, d) -> (N, 128), float32, of unit length."""
        return F.normalize(self.layers(features), dim=1)


class Objective(nn.Module):
    """The loss of a training: `total`, and each term before its weight."""

    class_weights: Tensor | None

    def __init__(
        self,
        loss: str,
        *,
        num_features: int,
        class_weights: Tensor | None = None,
        supcon_weight: float = 0.5,
        temperature: float = 0.07,
    ) -> None:
        super().__init__()
        self.supcon_weight = supcon_weight
        self.register_buffer("class_weights", class_weights)
        self.projection: Projection | None = None
        if "supcon" in loss_terms(loss):
            from pytorch_metric_learning.losses import SupConLoss  # 2 s to import, and only this term needs it

            self.projection = Projection(num_features)
            self._supcon = SupConLoss(temperature=temperature)

    @property
    def contrastive(self) -> bool:
        """Whether a term compares the views of an image."""
        return self.projection is not None

    def forward(self, logits: Tensor, features: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The total, a scalar, and the detached terms by name.

        `logits` (N, C), `features` (N, d) of any float type, `labels` int64 (N,); views of an image stand as rows of
        the same label. All terms are computed in float32 with autocast off: half precision moves the contrastive
        loss in its fourth digit. Where a batch holds one class only the contrastive term is 0.
        """
        with torch.autocast(logits.device.type, enabled=False):
            ce = F.cross_entropy(logits.float(), labels, weight=self.class_weights)
            if self.projection is None:
                return ce, {"ce": ce.detach()}
            supcon = self._supcon(self.projection(features.float()), labels)
            return ce + self.supcon_weight * supcon, {"ce": ce.detach(), "supcon": supcon.detach()}


def objective_of(config: TrainConfig, labels: npt.NDArray[np.int64], num_classes: int, num_features: int) -> Objective:
    """The objective of a training whose rows have these labels."""
    return Objective(
        config.loss,
        num_features=num_features,
        class_weights=class_weights(config.class_weights, labels, num_classes),
        supcon_weight=config.supcon_weight,
        temperature=config.temperature,
    )


def class_weights(kind: str, labels: npt.NDArray[np.int64], num_classes: int) -> Tensor | None:
    """float32 (num_classes,): `balanced` is n / (num_classes * n_c), of mean 1 over the n rows; `none` is None."""
    if kind not in CLASS_WEIGHTS:
        raise unknown_name("class weights", kind, CLASS_WEIGHTS)
    if kind == "none":
        return None
    count = np.bincount(labels, minlength=num_classes)
    return torch.from_numpy((len(labels) / (num_classes * count)).astype(np.float32))
