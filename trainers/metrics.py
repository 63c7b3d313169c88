"""Scores of a table of predictions, for frames or for clips: pure functions, `None` where a number is
undefined.

A prediction table has the columns key, clip, group, label (0 real, 1 fake), method, valid and one `p_{class}`
a class. An attribution model is scored as a detector by p(fake) = 1 - p(real).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.metrics import confusion_matrix, f1_score, roc_auc_score, roc_curve

from dataengine.errors import StateError
from dataengine.records import REAL
from trainers.taxonomy import Taxonomy

DETECTION_METRICS = ("detection_auc", "detection_eer", "detection_balanced_accuracy", "detection_accuracy")
ATTRIBUTION_METRICS = ("attribution_balanced_accuracy", "attribution_accuracy", "attribution_macro_f1")

Score = dict[str, float | int | None]


def metrics_of(task: str) -> tuple[str, ...]:
    """The metrics, each in [0, 1], that `score` and `bootstrap.interval` know for a task."""
    return DETECTION_METRICS + (ATTRIBUTION_METRICS if task == "attribution" else ())


def selection_metric(task: str) -> str:
    """What model selection maximises, by clip: balanced accuracy (a detector's at p(fake) = 0.5, its
    argmax).
    """
    return f"{task}_balanced_accuracy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What scoring needs of a prediction table, its invalid rows left out; n rows, every array of shape
    (n,).
    """

    labels: npt.NDArray[np.int64]
    """0 real, 1 fake."""
    p_fake: npt.NDArray[np.float64]
    """1 - p(real), in [0, 1]."""
    truth: npt.NDArray[np.int64]
    """Index of the row's method in the taxonomy's classes; -1 for a method unseen in training."""
    predicted: npt.NDArray[np.int64]
    """Index of the most probable class."""
    methods: list[str]
    groups: npt.NDArray[np.int64]
    """Identity group, numbered from 0 by name, so that equal stores resample alike whatever their order."""

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """Rows whose method the taxonomy holds: the only ones that enter attribution."""
        return self.truth >= 0


def scored(predictions: pa.Table, taxonomy: Taxonomy) -> Scored:
    """The arrays behind a prediction table. Raises StateError where it isn't of this taxonomy."""
    columns = [f"p_{name}" for name in taxonomy.classes]
    if absent := [name for name in columns if name not in predictions.column_names]:
        raise StateError(
            f"the predictions have no column {', '.join(absent)}: they are of another taxonomy than "
            f"{taxonomy.task} over {', '.join(taxonomy.classes)}; predict again with this run"
        )
    predictions = predictions.filter(pc.field("valid"))
    n = predictions.num_rows
    p = np.stack([predictions[name].to_numpy() for name in columns], axis=1).astype(np.float64)
    methods = predictions["method"].to_pylist()
    labels = predictions["label"].to_numpy().astype(np.int64)
    index = {name: i for i, name in enumerate(taxonomy.classes)}
    if taxonomy.task == "attribution":
        truth = np.array([index.get(method, -1) for method in methods], dtype=np.int64)
    else:
        truth = labels
    _, groups = np.unique(predictions["group"].to_pylist(), return_inverse=True)
    return Scored(
        labels=labels,
        # Not 1 - p(real): next to 1 a float32 no longer tells one confident real from another.
        p_fake=np.delete(p, index[REAL], axis=1).sum(axis=1),
        truth=truth,
        predicted=p.argmax(axis=1).astype(np.int64) if n else np.zeros(0, np.int64),
        methods=methods,
        groups=groups.astype(np.int64),
    )


def clip_table(predictions: pa.Table) -> pa.Table:
    """One row a clip, in order of appearance: the mean probability over its readable frames.

    Columns: those of the frames but `key` (clip, group, label, method, ... the clip's first), float64
    `p_{class}`, and `frames` and `unreadable`, the number of frames that entered the mean and that could not
    be read. A clip without a readable frame has no probability and is left out.
    """
    probabilities = [name for name in predictions.column_names if name.startswith("p_")]
    facts = [n for n in predictions.column_names if n not in ("key", "clip", "valid", *probabilities)]
    valid = predictions["valid"]
    # An unreadable frame's probabilities mean nothing; as nulls the mean passes over them.
    means = {
        name: pc.if_else(valid, pc.cast(predictions[name], pa.float64()), pa.scalar(None, pa.float64()))
        for name in probabilities
    }
    sums = {"frames": pc.cast(valid, pa.int64()), "unreadable": pc.cast(pc.invert(valid), pa.int64())}
    given = {name: predictions[name] for name in ("clip", *facts)}
    wanted = [(n, "first") for n in facts]
    wanted += [(n, "mean") for n in means] + [(n, "sum") for n in sums]
    clips = pa.table(given | means | sums).group_by("clip", use_threads=False).aggregate(wanted)
    clips = clips.select(["clip", *(f"{name}_{how}" for name, how in wanted)])
    clips = clips.rename_columns(["clip", *(name for name, _ in wanted)])
    clips = clips.append_column("valid", pc.greater(clips["frames"], 0)).filter(pc.field("valid"))
    return clips.replace_schema_metadata(predictions.schema.metadata)


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


def score(predictions: pa.Table, taxonomy: Taxonomy, *, threshold: float | None) -> Score:
    """Every metric of a prediction table, of frames or of clips; None where one is undefined.

    Detection (all rows, methods unseen in training too): `detection_auc`, `detection_eer` (both undefined
    with one label), `detection_balanced_accuracy` and `detection_accuracy` at p(fake) >= `threshold`
    (undefined without one; balanced accuracy also with one label), `detection_threshold`, `num`.

    Attribution (rows of methods seen in training, `attribution_num` of them): `attribution_balanced_accuracy`
    (mean recall) and `attribution_macro_f1` over the classes present in the truth, `attribution_accuracy`;
    undefined where fewer than two classes are present, since naming the one there is tells no method from
    another. `unseen_num` rows of `unseen_methods` methods count neither as right nor as wrong.
    """
    rows = scored(predictions, taxonomy)
    result: Score = {"num": len(rows.labels), "detection_threshold": threshold, **_detection(rows, threshold)}
    if taxonomy.task == "attribution":
        result |= _attribution(rows)
    return result


def _detection(rows: Scored, threshold: float | None) -> Score:
    both = len(np.unique(rows.labels)) == 2
    called_fake = None if threshold is None or not len(rows.labels) else rows.p_fake >= threshold
    right = None if called_fake is None else called_fake == (rows.labels == 1)
    balanced = None
    if both and right is not None:
        balanced = float(np.mean([right[rows.labels == label].mean() for label in (0, 1)]))
    return {
        "detection_auc": float(roc_auc_score(rows.labels, rows.p_fake)) if both else None,
        "detection_eer": equal_error_rate(rows.labels, rows.p_fake) if both else None,
        "detection_balanced_accuracy": balanced,
        "detection_accuracy": None if right is None else float(right.mean()),
    }


def equal_error_rate(labels: npt.NDArray[np.integer], p_fake: npt.NDArray[np.floating]) -> float:
    """Where the false-positive rate meets the false-negative rate, linear between the points of the ROC
    curve.
    """
    fpr, tpr, _ = roc_curve(labels, p_fake, drop_intermediate=False)
    return float(crossing(fpr[None], 1.0 - tpr[None])[0])


def crossing(rising: npt.NDArray[np.float64], falling: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The height at which two polylines over the same points cross, a row each: (R, P), (R, P) -> (R,).

    `rising` starts at 0 and `falling` ends at 0, so that they do cross.
    """
    gap = rising - falling
    after = np.argmax(gap >= 0, axis=1)
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(gap))
    high, low = gap[rows, after], gap[rows, before]
    share = np.divide(-low, high - low, out=np.zeros_like(high), where=high > low)
    crossed: npt.NDArray[np.float64] = rising[rows, before] + share * (rising[rows, after] - rising[rows, before])
    return crossed


def _attribution(rows: Scored) -> Score:
    truth, predicted = rows.truth[rows.seen], rows.predicted[rows.seen]
    present = np.unique(truth)
    result: Score = dict.fromkeys(ATTRIBUTION_METRICS)
    if len(present) >= 2:
        right = truth == predicted
        recall = [right[truth == c].mean() for c in present]
        result = {
            "attribution_balanced_accuracy": float(np.mean(recall)),
            "attribution_accuracy": float(right.mean()),
            "attribution_macro_f1": float(f1_score(truth, predicted, labels=present, average="macro", zero_division=0)),
        }
    unseen = {method for method, seen in zip(rows.methods, rows.seen, strict=True) if not seen}
    return {
        **result,
        "attribution_num": len(truth),
        "unseen_num": int((~rows.seen).sum()),
        "unseen_methods": len(unseen),
    }


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
    present = set(rows.methods)
    known = [name for name in taxonomy.classes if name in present]
    others = sorted(present - set(known))
    names = [*known, *others]
    # A detector's class "fake" holds every method: none of its rows is unseen.
    unseen = tuple(others) if taxonomy.task == "attribution" else ()
    if not names:
        return Confusion(rows=(), columns=taxonomy.classes, counts=(), unseen=())
    where = {name: i for i, name in enumerate(names)}
    size = max(len(names), len(taxonomy.classes))
    counts = confusion_matrix([where[m] for m in rows.methods], rows.predicted, labels=range(size))
    table = counts[: len(names), : len(taxonomy.classes)].tolist()
    return Confusion(
        rows=tuple(names), columns=taxonomy.classes, counts=tuple(tuple(row) for row in table), unseen=unseen
    )


def methods_unseen(predictions: pa.Table, taxonomy: Taxonomy) -> dict[str, int]:
    """The methods that an attribution model held no class for, with their number of readable rows, by name."""
    if taxonomy.task != "attribution":
        return {}
    methods = predictions.filter(pc.field("valid"))["method"].to_pylist()
    return dict(sorted(Counter(method for method in methods if method not in taxonomy.classes).items()))
