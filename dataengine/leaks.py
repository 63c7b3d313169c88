"""Does the format give the label away? A difference of codec, size or quality between labels is a leak: reported."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

THRESHOLD = 0.3
"""Total variation distance between the two labels' distributions from which a column is reported: a detector that
reads nothing else is then right in at least 65 % of a balanced set."""

_WIDTH_BINS = 4  # quartiles: exact widths of face crops are all different, and would look apart by chance alone


def format_leaks(index: pa.Table) -> list[str]:
    """One line for each property whose distribution differs between real and fake samples; none for one label."""
    lines = []
    for column, what in (("ext", "file type"), ("quality", "compression"), ("width", "image width")):
        values = _quartiles(index.column(column)) if column == "width" else index.column(column)
        apart = _distance(values, index.column("label"))
        if apart is not None and apart >= THRESHOLD:
            lines.append(f"{what} differs between real and fake (total variation {apart:.2f})")
    return lines


def _quartiles(widths: pa.ChunkedArray) -> pa.ChunkedArray:
    values = widths.to_numpy()
    edges = np.unique(np.quantile(values, np.arange(1, _WIDTH_BINS) / _WIDTH_BINS))
    return pa.chunked_array([np.searchsorted(edges, values)])


def _distance(values: pa.ChunkedArray, labels: pa.ChunkedArray) -> float | None:
    shares = []
    for label in (0, 1):
        of_label = values.filter(pc.equal(labels, label))
        if len(of_label) == 0:
            return None
        counted = of_label.value_counts().to_pylist()
        shares.append({entry["values"]: entry["counts"] / len(of_label) for entry in counted})
    keys = shares[0].keys() | shares[1].keys()
    return float(sum(abs(shares[0].get(key, 0.0) - shares[1].get(key, 0.0)) for key in keys) / 2)
