"""Does the format give the label away? A difference of codec, size or quality between labels is a leak: reported."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

THRESHOLD = 0.3
"""Total variation distance between the two labels' distributions from which a property is reported: a detector that
reads nothing else is then right in at least 65 % of a balanced set."""

_WIDTH_BINS = 4  # quartiles: exact widths of face crops are all different, and would look apart by chance alone


def format_leaks(index: pa.Table) -> list[str]:
    """One line for each property whose distribution differs between real and fake samples; none for one label.

    A clip's images are alike, so chance is reckoned with by the number of clips: with few of them, more is asked for.
    """
    clips = [pc.count_distinct(index["clip"].filter(pc.equal(index["label"], label))).as_py() for label in (0, 1)]
    if not all(clips):
        return []
    lines = []
    for column, what in (("ext", "file type"), ("quality", "compression"), ("width", "image width")):
        values = _quartiles(index[column]) if column == "width" else index[column]
        apart, kinds = _distance(values, index["label"])
        chance = 0.5 * math.sqrt(kinds * (1 / clips[0] + 1 / clips[1]))
        if apart >= min(THRESHOLD + chance, 1.0) and kinds > 1:
            lines.append(f"{what} differs between real and fake (total variation {apart:.2f})")
    return lines


def _quartiles(widths: pa.ChunkedArray) -> pa.ChunkedArray:
    values = widths.to_numpy()
    edges = np.unique(np.quantile(values, np.arange(1, _WIDTH_BINS) / _WIDTH_BINS))
    return pa.chunked_array([np.searchsorted(edges, values)])


def _distance(values: pa.ChunkedArray, labels: pa.ChunkedArray) -> tuple[float, int]:
    """Total variation between the labels' distributions, and over how many different values."""
    shares = []
    for label in (0, 1):
        of_label = values.filter(pc.equal(labels, label))
        shares.append({e["values"]: e["counts"] / len(of_label) for e in of_label.value_counts().to_pylist()})
    kinds = shares[0].keys() | shares[1].keys()
    return float(sum(abs(shares[0].get(kind, 0.0) - shares[1].get(kind, 0.0)) for kind in kinds) / 2), len(kinds)
