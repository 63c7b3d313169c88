"""Scores of a table of predictions, for frames or for clips: pure functions, `None` where a number is undefined.

A prediction table has the columns key, clip, group, label (0 real, 1 fake), method, valid and one `p_{class}` a class.
An attribution model is scored as a detector by p(fake) = 1 - p(real). Every metric is a function of how often each
identity group counts: once each for the score itself, as often as it was drawn for a bootstrap resample.
"""

from __future__ import annotations

from trainers.metrics.clips import CLIPS, clip_table
from trainers.metrics.confusion import Confusion, confusion, methods_unseen
from trainers.metrics.names import LOWER_IS_BETTER, metrics_of, selection_metric
from trainers.metrics.rows import Scored, scored
from trainers.metrics.score import Score, measured, score
from trainers.metrics.threshold import equal_error_rate, equal_error_threshold, source_threshold

__all__ = [
    "CLIPS",
    "LOWER_IS_BETTER",
    "Confusion",
    "Score",
    "Scored",
    "clip_table",
    "confusion",
    "equal_error_rate",
    "equal_error_threshold",
    "measured",
    "methods_unseen",
    "metrics_of",
    "score",
    "scored",
    "selection_metric",
    "source_threshold",
]
