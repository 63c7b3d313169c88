"""What the source's validation split says of a model: what selects the epoch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataengine.errors import DfxError
from dataengine.selection import Rows
from trainers.metrics import clip_table, score, selection_metric
from trainers.predict import unreadable
from trainers.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The loss of frames, the rest of clips."""

    loss: float
    balanced_accuracy: float
    auc: float | None


def validate(predictions: pa.Table, taxonomy: Taxonomy, rows: Rows) -> Validation:
    """Score the predictions of a validation split's rows, each sample once, however many stores select it.

    Raises DfxError where what could be read of it cannot be scored.
    """
    once = first_of_each(predictions)
    predictions, rows = predictions.filter(once), replace(rows, table=rows.table.filter(once))
    scores = score(clip_table(predictions), taxonomy, threshold=0.5)
    balanced = scores[selection_metric(taxonomy.task)]
    if balanced is None:
        raise DfxError(
            f"the validation split cannot be scored: {len(unreadable(predictions))} samples could not be read, and "
            "what is left is of one class; look at the store with `dfx info`"
        )
    return Validation(
        loss=cross_entropy(predictions, taxonomy, rows),
        balanced_accuracy=float(balanced),
        auc=scores["detection_auc"],
    )


def first_of_each(predictions: pa.Table) -> pa.Array:
    """Which rows are the first of their key: bool (n,)."""
    keys = pc.dictionary_encode(predictions["key"].combine_chunks()).indices.to_numpy()
    first = np.zeros(len(keys), dtype=bool)
    first[np.unique(keys, return_index=True)[1]] = True
    return pa.array(first)


def cross_entropy(predictions: pa.Table, taxonomy: Taxonomy, rows: Rows) -> float:
    """The mean cross-entropy of the readable rows' predictions, in nats."""
    valid = predictions.column("valid").to_numpy()
    p = np.stack([predictions.column(f"p_{name}").to_numpy() for name in taxonomy.classes], axis=1)[valid]
    truth = taxonomy.labels(rows)[valid]
    return float(-np.log(np.maximum(p[np.arange(len(p)), truth].astype(np.float64), 1e-12)).mean())
