"""What training minimises: a loss on the logits, one on the embedding, or both."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dataengine.errors import DfxError, unknown_name
from trainers.losses.classification import classification_losses
from trainers.losses.embedding import embedding_loss
from trainers.losses.gather import gathered
from trainers.losses.spec import CLASS_WEIGHTS, LossSpec

PROJECTION_DIM = 128


class Projection(nn.Module):
    """The head of contrastive terms: d -> d -> 128, ReLU between (Khosla et al., NeurIPS 2020, section 3.1; DNA-Det).

    Training needs it, classification does not: it belongs to the objective, and is no part of a run's weights.
    """

    def __init__(self, num_features: int, *, unit: bool = True) -> None:
        """`unit`: rows are scaled to unit length."""
        super().__init__()
        self.unit = unit
        self.layers = nn.Sequential(
            nn.Linear(num_features, num_features), nn.ReLU(), nn.Linear(num_features, PROJECTION_DIM)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, d) -> (N, 128), float32."""
        rows = self.layers(features)
        return F.normalize(rows, dim=1) if self.unit else rows


class Objective(nn.Module):
    """The loss of a training: `total`, and each of its losses before its weight.

    Its parameters (projection, class weights of ArcFace, proxies, learnt weights) and centres are trained. They are
    part of a run's state, not of its weights.
    """

    class_weights: Tensor | None

    def __init__(
        self, spec: LossSpec, *, num_features: int, num_classes: int, class_weights: Tensor | None = None
    ) -> None:
        """`class_weights` float32 (num_classes,). What the objective draws comes from torch's global generator: ranks
        must seed it alike, or be given rank 0's (DistributedDataParallel does)."""
        super().__init__()
        self.spec = spec
        self.register_buffer("class_weights", class_weights)
        self.projection: Projection | None = None
        self.term: nn.Module | None = None
        self.loss_weights: nn.Parameter | None = None
        if spec.term is not None:
            self.term = embedding_loss(spec, num_features=num_features, num_classes=num_classes)
            if spec.term.projected:
                self.projection = Projection(num_features, unit=spec.term.name != "npair")
        if spec.learnt_weights:
            self.loss_weights = nn.Parameter(torch.ones(2))

    def forward(
        self, logits: Tensor, features: Tensor, labels: Tensor, *, views: int = 1
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The total, a scalar, and the detached losses by name.

        `logits` (N, C), `features` (N, d) of any float type, `labels` int64 (N,), where row v * B + i is view v of
        sample i. All is computed in float32 with autocast off: half precision moves the contrastive losses in their
        fourth digit.

        In a process group of R > 1 every rank computes the loss of the whole batch, from the rows of all ranks: the
        value is the same on each, and the mean over ranks of the gradients is that of one process with the whole
        batch. Ranks must have equally many rows.

        Raises DfxError for ntxent with one view.
        """
        with torch.autocast(logits.device.type, enabled=False):
            labels = gathered(labels, views)
            losses: dict[str, Tensor] = {}
            if self.spec.classification is not None:
                losses[self.spec.classification] = self._classification(gathered(logits.float(), views), labels)
            if self.spec.term is not None:
                losses[self.spec.term.name] = self._term(gathered(features.float(), views), labels, views)
            total = self._weighted([*losses.values()])
        return total, {name: loss.detach() for name, loss in losses.items()}

    def _classification(self, logits: Tensor, labels: Tensor) -> Tensor:
        each = classification_losses(self.spec, logits, labels)
        if self.class_weights is None:
            return each.mean()
        weights = self.class_weights[labels]
        return (each * weights).sum() / weights.sum()

    def _term(self, features: Tensor, labels: Tensor, views: int) -> Tensor:
        assert self.term is not None
        assert self.spec.term is not None
        rows = features if self.projection is None else self.projection(features)
        if self.spec.term.name == "ntxent":
            if views == 1:
                raise DfxError("ntxent compares views of an image, and there is one; choose an --augment that draws")
            labels = torch.arange(len(labels) // views, device=labels.device).repeat(views)
        loss: Tensor = self.term(rows, labels)
        return loss

    def _weighted(self, losses: list[Tensor]) -> Tensor:
        if len(losses) == 1:
            return losses[0]
        if self.loss_weights is None:
            return losses[0] + self.spec.of_term("weight") * losses[1]
        # Kendall et al., CVPR 2018, with the regulariser of Liebel & Körner, 2018, as DNA-Det has it
        squares = self.loss_weights.square()
        return (0.5 / squares * torch.stack(losses) + torch.log1p(squares)).sum()


def class_weights(kind: str, labels: npt.NDArray[np.int64], num_classes: int) -> Tensor | None:
    """float32 (num_classes,): `balanced` is n / (num_classes * n_c), of mean 1 over the n rows; `none` is None."""
    if kind not in CLASS_WEIGHTS:
        raise unknown_name("class weights", kind, CLASS_WEIGHTS)
    if kind == "none":
        return None
    count = np.bincount(labels, minlength=num_classes)
    return torch.from_numpy((len(labels) / (num_classes * count)).astype(np.float32))
