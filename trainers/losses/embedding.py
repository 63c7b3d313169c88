"""Losses on the embedding. Each is a module from rows (N, d) and their ids (N,) to a scalar, in float32.

Rows of the same id are alike: ids are class labels, or for NT-Xent the numbers of the images. pytorch-metric-learning
has most of them. Its own averages leave out rows whose loss is 0, so that a loss grows as rows are learnt; here every
row counts that the paper's sum has. It takes 2 s to import, hence where it is used.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.losses.spec import LossSpec

NPAIR_L2 = 0.002
"""Weight of N-pair's norms: the paper regularises them and names no value; TensorFlow's and Paddle's is this one."""

CENTRE_RATE = 0.5
"""How far centres move a step: alpha in the experiments of Wen et al."""


def embedding_loss(spec: LossSpec, *, num_features: int, num_classes: int) -> nn.Module:
    """The module of the spec's term. `num_features` is the embedding's width, for terms that see it unprojected."""
    assert spec.term is not None
    name = spec.term.name
    if name in ("supcon", "ntxent", "patchwise"):
        return SupCon(spec.of_term("temperature"))
    if name == "triplet":
        return BatchHardTriplet(spec.of_term("margin"))
    if name == "npair":
        return NPair()
    if name == "multisimilarity":
        return MultiSimilarity(spec.of_term("margin"))
    if name == "circle":
        return Circle(spec.of_term("margin"), spec.of_term("scale"))
    if name == "arcface":
        from trainers.losses.arcface import ArcFace

        degrees = math.degrees(spec.of_term("margin"))
        return ArcFace(num_classes, num_features, margin=degrees, scale=spec.of_term("scale"))
    if name == "proxyanchor":
        from pytorch_metric_learning.losses import ProxyAnchorLoss

        margin, scale = spec.of_term("margin"), spec.of_term("scale")
        proxies: nn.Module = ProxyAnchorLoss(num_classes, num_features, margin=margin, alpha=scale)
        return proxies
    assert name == "centre", name
    return Centre(num_features, num_classes)


class SupCon(nn.Module):
    """Supervised contrast (Khosla et al., NeurIPS 2020, equation 2, L_out), averaged over rows that have a positive.

    With an image's number as id it is NT-Xent (Chen et al., ICML 2020, equation 1), with patches as rows the patchwise
    loss of DNA-Det (Yang et al., AAAI 2022). Rows of one id only: 0, for there is nothing to contrast.
    """

    def __init__(self, temperature: float) -> None:
        from pytorch_metric_learning.losses import SupConLoss
        from pytorch_metric_learning.reducers import MeanReducer

        super().__init__()
        self.loss = SupConLoss(temperature=temperature, reducer=MeanReducer())

    def forward(self, rows: Tensor, ids: Tensor) -> Tensor:
        return _over_anchors(self.loss(rows, ids), ids)


class Circle(nn.Module):
    """Sun et al., CVPR 2020, of class labels as pairs, averaged over the rows that have a positive and a negative.

    The weights of pairs carry no gradient; their optima and margins all follow from `margin`, as in the paper.
    """

    def __init__(self, margin: float, scale: float) -> None:
        from pytorch_metric_learning.losses import CircleLoss
        from pytorch_metric_learning.reducers import MeanReducer

        super().__init__()
        self.loss = CircleLoss(m=margin, gamma=scale, reducer=MeanReducer())

    def forward(self, rows: Tensor, ids: Tensor) -> Tensor:
        return _over_anchors(self.loss(rows, ids), ids)


class MultiSimilarity(nn.Module):
    """Wang et al., CVPR 2019: pairs are mined, then weighed; averaged over all rows.

    The constants are the paper's: alpha 2, beta 50, epsilon 0.1 (of the mining); `margin` is its lambda. The library
    mines; its loss is 0 where no more than one pair of each kind is left, which the formula is not.
    """

    ALPHA, BETA, EPSILON = 2.0, 50.0, 0.1

    def __init__(self, margin: float) -> None:
        from pytorch_metric_learning.miners import MultiSimilarityMiner

        super().__init__()
        self.mine, self.margin = MultiSimilarityMiner(epsilon=self.EPSILON), margin

    def forward(self, rows: Tensor, ids: Tensor) -> Tensor:
        anchors, positives, others, negatives = self.mine(rows, ids)
        unit = F.normalize(rows, dim=1)
        above = unit @ unit.T - self.margin
        like = _log_one_plus_sum(-self.ALPHA * above, anchors, positives) / self.ALPHA
        unlike = _log_one_plus_sum(self.BETA * above, others, negatives) / self.BETA
        return (like + unlike).mean()


def _log_one_plus_sum(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """ln(1 + sum of exp) of the values (N, N) at these places, for each row: (N,)."""
    there = torch.zeros_like(values, dtype=torch.bool)
    there[rows, columns] = True
    return torch.logsumexp(F.pad(values.masked_fill(~there, -math.inf), (1, 0)), dim=1)


class BatchHardTriplet(nn.Module):
    """Hermans et al., 2017, equation 5: each row's farthest positive and nearest negative, averaged over the rows that
    have both. Distances are Euclidean, on the unit sphere.

    Distances are of differences of rows: those of a product of matrices are wrong by 1e-3 where rows are close, which
    is where this loss drives them.
    """

    def __init__(self, margin: float) -> None:
        from pytorch_metric_learning.miners import BatchHardMiner

        super().__init__()
        self.margin = margin
        self.mine = BatchHardMiner()

    def forward(self, rows: Tensor, ids: Tensor) -> Tensor:
        anchor, positive, negative = self.mine(rows, ids)
        if len(anchor) == 0:
            return _zero(rows)
        rows = F.normalize(rows, dim=1)
        near = torch.linalg.vector_norm(rows[anchor] - rows[positive], dim=1)
        far = torch.linalg.vector_norm(rows[anchor] - rows[negative], dim=1)
        return F.relu(near - far + self.margin).mean()


class NPair(nn.Module):
    """Sohn, NeurIPS 2016: the multi-class N-pair loss, with inner products and regularised norms.

    The paper's batch is one pair of each class. Rows are taken two by two within their class, in their order: the first
    pairs of all classes are such a batch, so are the second ones, and so on; the loss is the mean over all pairs. (The
    library's takes the first pair of each class and leaves the other rows without a gradient.) A class's odd last row
    is in no pair.
    """

    def forward(self, rows: Tensor, ids: Tensor) -> Tensor:
        same = ids[:, None] == ids
        rank = same.tril(-1).sum(1)  # how many of its class come before it
        by_class = torch.argsort(ids, stable=True)
        paired = by_class[(rank // 2 * 2 + 1 < same.sum(1))[by_class]]
        first, second = paired[0::2], paired[1::2]
        if len(first) == 0:
            return _zero(rows)
        other_batch = rank[first][:, None] != rank[first]
        similarity = (rows[first] @ rows[second].T).masked_fill(other_batch, -math.inf)
        norms = rows[paired].square().sum(1).mean()
        return F.cross_entropy(similarity, torch.arange(len(first), device=rows.device)) + 0.5 * NPAIR_L2 * norms


class Centre(nn.Module):
    """Wen et al., ECCV 2016: half the squared distance to the class's centre (equation 2), averaged over rows.

    Centres follow the rows by the paper's rule (equation 4), at each forward pass in training and not by the
    optimizer. They begin at 0: any draw would have to be the same on all ranks.
    """

    centres: Tensor

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(num_classes, num_features))

    def forward(self, rows: Tensor, ids: Tensor) -> Tensor:
        away = rows - self.centres[ids]
        if self.training:
            members = F.one_hot(ids, len(self.centres)).to(rows.dtype)
            # a product and no scattered sum: its order, and so its last digit, is the same on every rank
            self.centres += CENTRE_RATE * (members.T @ away.detach()) / (1 + members.sum(0))[:, None]
        return 0.5 * away.square().sum(1).mean()


def _over_anchors(mean: Tensor, ids: Tensor) -> Tensor:
    """The mean over the rows that have a positive and a negative, of a mean over all rows in which the others are 0."""
    alike = (ids[:, None] == ids).sum(1)
    anchors = ((alike > 1) & (alike < len(ids))).sum()
    return mean * (len(ids) / anchors.clamp(min=1))


def _zero(rows: Tensor) -> Tensor:
    """0 with a gradient of zeros, so that every parameter still has one."""
    return (rows * 0).sum()
