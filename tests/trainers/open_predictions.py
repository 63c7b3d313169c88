"""Predictions with an `energy` and a `distance`, in which unknown methods score higher than known ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tests.trainers.report.synthetic_runs import CLASSES, predictions
from trainers.taxonomy import Taxonomy

TAXONOMY = Taxonomy(task="attribution", classes=CLASSES)


def open_predictions(methods: Sequence[str] = (*CLASSES, "new", "newer"), *, seed: int = 0, **more: object) -> pa.Table:
    """`synthetic_runs.predictions` with the two columns; a frame that is not valid has none of them."""
    table = predictions(methods, seed=seed, **more)
    rng = np.random.default_rng(seed)
    unknown = np.array([method not in CLASSES for method in table["method"].to_pylist()])
    energy = (rng.normal(size=len(table)) - 3 + 1.5 * unknown).astype(np.float32)
    distance = rng.beta(2, 6, size=len(table)).astype(np.float32) + np.float32(0.2) * unknown.astype(np.float32)
    return table.append_column("energy", pa.array(energy)).append_column("distance", pa.array(distance))


def unreadable(table: pa.Table, rows: Sequence[int]) -> pa.Table:
    """The table with those rows not valid, and null where they have no number."""
    valid = np.ones(len(table), bool)
    valid[list(rows)] = False
    columns = {name: table[name] for name in table.column_names} | {"valid": pa.array(valid)}
    for name in columns:
        if name.startswith("p_") or name in ("energy", "distance"):
            columns[name] = pa.array(table[name].to_numpy(), mask=~valid)
    return pa.table(columns)
