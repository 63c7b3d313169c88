"""The threshold that a source's validation predictions give, and the error rate there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.metrics import roc_curve

from trainers.metrics.ranks import rank_metrics, ranking
from trainers.metrics.rows import scored
from trainers.taxonomy import Taxonomy


def equal_error_threshold(labels: npt.NDArray[np.integer], p_fake: npt.NDArray[np.floating]) -> float | None:
    """The p(fake) from which a row is called fake so that the false-positive and the false-negative rate are
    nearest.

    Half-way between the two neighbouring scores, so that it favours neither side. None where there is one
    label only.
    """
    if len(np.unique(labels)) < 2:
        return None
    fpr, tpr, thresholds = roc_curve(labels, p_fake, drop_intermediate=False)
    best = int(np.argmin(np.abs(fpr - (1.0 - tpr))))
    # roc_curve's first threshold is infinity: nothing is called fake.
    upper = thresholds[best] if np.isfinite(thresholds[best]) else 1.0
    lower = thresholds[best + 1] if best + 1 < len(thresholds) else 0.0
    return float((upper + lower) / 2)


def source_threshold(predictions: pa.Table, taxonomy: Taxonomy) -> float | None:
    """The equal-error threshold of a source's validation predictions, of frames or of clips as they are
    given.
    """
    rows = scored(predictions, taxonomy)
    return equal_error_threshold(rows.labels, rows.p_fake)


def equal_error_rate(labels: npt.NDArray[np.integer], p_fake: npt.NDArray[np.floating]) -> float:
    """Where the false-positive rate meets the false-negative rate, linear between the points of the ROC curve; nan
    with one label.
    """
    entries = ranking(np.asarray(p_fake, np.float64), np.asarray(labels, np.int64), np.zeros(len(labels), np.int64))
    return float(rank_metrics(entries, np.ones((1, 1), np.int64))["detection_eer"][0])
