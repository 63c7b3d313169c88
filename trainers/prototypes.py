"""Class prototypes: the mean direction of each class's embeddings, from training samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dataengine.errors import DfxError
from dataengine.order import permute
from dataengine.selection import Rows
from trainers.checkpoint import write_weights
from trainers.predict import run_over
from trainers.run import PROTOTYPES_FILE

if TYPE_CHECKING:
    from trainers.models.catalogue import Classifier, InputSpec

Ints = npt.NDArray[np.int64]

PER_CLASS = 1000
"""Samples that a prototype is the mean of, at most: a direction in a few hundred dimensions needs no more."""


def class_prototypes(
    model: Classifier,
    rows: Rows,
    labels: Ints,
    num_classes: int,
    *,
    spec: InputSpec,
    seed: int,
    batch: int = 64,
    device: str | torch.device = "cpu",
    backend: str = "auto",
    threads: int | None = None,
) -> Tensor:
    """float32 (num_classes, d), of unit length: the mean of a class's embeddings, each of unit length.

    Of up to PER_CLASS samples a class, drawn by `seed`, as evaluation sees them. A class of which none could be read
    gets zeros. Source: the prototypes of Snell et al. (NeurIPS 2017), on the sphere.
    """
    chosen = np.sort(np.concatenate([_some(np.flatnonzero(labels == c), seed) for c in range(num_classes)]))
    found = run_over(
        model,
        replace(rows, table=rows.table.take(chosen)),
        labels[chosen],
        lambda _, embeddings: {"embedding": F.normalize(embeddings, dim=1)},
        spec=spec,
        batch=batch,
        device=device,
        backend=backend,
        threads=threads,
    )
    of = torch.from_numpy(labels[chosen][found.rows])
    embeddings = torch.from_numpy(found.values["embedding"])
    sums = torch.zeros(num_classes, embeddings.shape[1]).index_add_(0, of, embeddings)
    return F.normalize(sums, dim=1)


def _some(rows: Ints, seed: int) -> Ints:
    return rows[permute(np.arange(min(len(rows), PER_CLASS)), len(rows), seed)]


def classify_by(model: Classifier, prototypes: Tensor) -> None:
    """Set the classifier to the prototypes, so that the class of the nearest one (by cosine) is the model's answer.

    What a loss without a classification term is validated by. Raises DfxError for a model whose classifier has not an
    output a class.
    """
    last = [module for module in model.head.modules() if isinstance(module, nn.Linear)][-1]
    if last.weight.shape != prototypes.shape:
        raise DfxError("this model has no linear classifier of an output a class; add a classification term: ce+...")
    with torch.no_grad():
        last.weight.copy_(prototypes)
        if last.bias is not None:
            last.bias.zero_()


def write_prototypes(run: Path, prototypes: Tensor) -> None:
    """Keep them in a run folder."""
    write_weights(run / PROTOTYPES_FILE, {"prototypes": prototypes}, {})
