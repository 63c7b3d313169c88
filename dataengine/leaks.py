"""Does the format give the label away? A difference of codec, size or quality between labels is a leak: reported."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

THRESHOLD = 0.2
"""Total variation distance between the two labels' distributions from which a column is reported: a detector that
reads nothing else is then right in at least 60 % of a balanced set."""


def format_leaks(index: pa.Table) -> list[str]:
    """One line for each property whose distribution differs between real and fake samples; none for one label."""
    lines = []
    for column, what in (("ext", "file type"), ("quality", "compression"), ("width", "image width")):
        apart = _distance(index, column)
        if apart is not None and apart >= THRESHOLD:
            lines.append(f"{what} differs between real and fake (total variation {apart:.2f})")
    return lines


def _distance(index: pa.Table, column: str) -> float | None:
    shares = []
    for label in (0, 1):
        values = index.filter(pc.equal(index.column("label"), label)).column(column)
        if len(values) == 0:
            return None
        counted = values.value_counts().to_pylist()
        shares.append({entry["values"]: entry["counts"] / len(values) for entry in counted})
    keys = shares[0].keys() | shares[1].keys()
    return float(sum(abs(shares[0].get(key, 0.0) - shares[1].get(key, 0.0)) for key in keys) / 2)
