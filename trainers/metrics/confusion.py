"""Who is taken for whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainers.metrics.rows import scored
from trainers.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often each true method was given each class."""

    rows: tuple[str, ...]
    """True methods present: the taxonomy's in its order, then those unseen in training by name."""
    columns: tuple[str, ...]
    """The taxonomy's classes."""
    counts: tuple[tuple[int, ...], ...]
    unseen: tuple[str, ...]
    """The rows that training held no class for."""


def confusion(predictions: pa.Table, taxonomy: Taxonomy) -> Confusion:
    """True methods, unseen ones too, by predicted class. A detector's rows are methods as well."""
    rows = scored(predictions, taxonomy)
    names, num_classes = rows.method_names, len(taxonomy.classes)
    counts = np.bincount(rows.methods * num_classes + rows.predicted, minlength=len(names) * num_classes)
    by_name = dict(zip(names, counts.reshape(len(names), num_classes).tolist(), strict=True))
    others = tuple(name for name in names if name not in taxonomy.classes)
    order = (*(name for name in taxonomy.classes if name in by_name), *others)
    return Confusion(
        rows=order,
        columns=taxonomy.classes,
        counts=tuple(tuple(by_name[name]) for name in order),
        # A detector's class "fake" holds every method: none of its rows is unseen.
        unseen=others if taxonomy.task == "attribution" else (),
    )


def methods_unseen(predictions: pa.Table, taxonomy: Taxonomy) -> dict[str, int]:
    """The methods that an attribution model held no class for, with their number of readable rows, by name."""
    if taxonomy.task != "attribution":
        return {}
    methods = predictions.filter(pc.field("valid"))["method"]
    counts = {item["values"]: item["counts"] for item in pc.value_counts(methods).to_pylist()}
    return {name: counts[name] for name in sorted(counts) if name not in taxonomy.classes}
