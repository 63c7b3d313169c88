"""What the metrics are called, and which way is better. All are in [0, 1]."""

from __future__ import annotations

REALS_AT_FPR = {"detection_tpr_at_fpr_1e-2": 100, "detection_tpr_at_fpr_1e-3": 1000}
"""The metrics of recall at a false-positive rate of 1 / n, with n: also the fewest reals with which a false-positive
rate above 0 can be that low.
"""

RANK_METRICS = ("detection_auc", "detection_eer", "detection_ap", *REALS_AT_FPR)
"""Functions of the order of rows by p(fake): they need no threshold."""

DETECTION_METRICS = (
    "detection_auc",
    "detection_eer",
    "detection_balanced_accuracy",
    "detection_accuracy",
    "detection_macro_f1",
    "detection_accuracy_at_half",
    "detection_ap",
    *REALS_AT_FPR,
    "detection_ece",
    "detection_ece_scaled",
)
ATTRIBUTION_METRICS = (
    "attribution_balanced_accuracy",
    "attribution_accuracy",
    "attribution_macro_f1",
    "attribution_ece",
    "attribution_ece_scaled",
)

LOWER_IS_BETTER = frozenset(name for name in (*DETECTION_METRICS, *ATTRIBUTION_METRICS) if "_ece" in name) | {
    "detection_eer"
}


def metrics_of(task: str) -> tuple[str, ...]:
    """The metrics, each in [0, 1], that `score` and `bootstrap.interval` know for a task."""
    return DETECTION_METRICS + (ATTRIBUTION_METRICS if task == "attribution" else ())


def selection_metric(task: str) -> str:
    """What model selection maximises, by clip: balanced accuracy (a detector's at p(fake) = 0.5, its argmax)."""
    return f"{task}_balanced_accuracy"
