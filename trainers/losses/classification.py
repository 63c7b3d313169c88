"""Losses on the logits, sample by sample."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.losses.spec import LossSpec


def classification_losses(spec: LossSpec, logits: Tensor, labels: Tensor) -> Tensor:
    """float32 (N,): each sample's loss, of float32 logits (N, C) and int64 labels (N,); before class weights."""
    if spec.classification == "ce":
        return F.cross_entropy(logits, labels, label_smoothing=spec.smoothing, reduction="none")
    if spec.classification == "focal":
        return _focal(logits, labels, spec.gamma)
    if spec.classification == "mse":
        return _squared_error(logits, labels)
    assert spec.classification == "softmax-ce", spec.loss
    return _double_softmax(logits, labels)


def _focal(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """-(1 - p_y)^gamma ln p_y (Lin et al., "Focal Loss for Dense Object Detection", equation 4).

    The paper's alpha is what class weights are.
    """
    log_p = -F.cross_entropy(logits, labels, reduction="none")
    missing = -torch.expm1(log_p)  # 1 - p, exact near 0
    # below gamma 1 the power's slope at 0 is infinite, and 0 times that is no number
    return -(missing.clamp(min=torch.finfo(torch.float32).tiny) ** gamma) * log_p


def _squared_error(logits: Tensor, labels: Tensor) -> Tensor:
    """½ |p - e_y|². With two classes that is the squared error of the sigmoid, on which MesoNet (Afchar et al., WIFS
    2018) is trained."""
    return 0.5 * (logits.softmax(1) - F.one_hot(labels, logits.shape[1])).square().sum(1)


def _double_softmax(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of softmax(softmax(logits)), as the code of DNA-Det (Yang et al., AAAI 2022) computes it.

    A perfect answer of C classes still costs ln(1 + (C - 1) / e): 0.905 for five. For comparisons with that code only.
    """
    return F.cross_entropy(logits.softmax(1), labels, reduction="none")
