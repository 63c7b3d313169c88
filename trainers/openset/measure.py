"""Open-set figures: does a model that names methods notice one it was never shown?

Known rows are those whose method is a class of the taxonomy, real among them; all others are unknown. A score, higher
for more unknown, orders them; the model answers "unknown" where it is above a threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataengine.errors import DfxError
from trainers.evaluation.group_weights import (
    ONCE,
    Bools,
    Floats,
    Ints,
    area,
    cumulated,
    draw_groups,
    joined_levels,
    levels_of,
    share,
)
from trainers.metrics import clip_table, scored
from trainers.taxonomy import Taxonomy

ACCEPTED = 0.95
"""Share of the known rows that is accepted where TNR is read, and by the source's threshold."""

SCORES = {"max_softmax": None, "energy": "energy", "prototype_distance": "distance"}
"""Scores by name, higher for more unknown, with the column of a prediction table that holds it.

max_softmax: 1 - the largest probability (Hendrycks and Gimpel, ICLR 2017). energy: -logsumexp of the logits (Liu et
al., NeurIPS 2020). prototype_distance: 1 - the largest cosine similarity of the embedding to a class's prototype."""

METRICS = ("auroc", "oscr", "tnr_at_95_tpr", "detection_accuracy")
"""What `figures` gives, each in [0, 1], more being better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRows:
    """n readable rows of predictions, frames or clips; every array of shape (n,)."""

    known: Bools
    """The method is a class of the taxonomy."""
    right: Bools
    """Known, and given its own class: the closed-set answer."""
    groups: Ints
    """Identity group, numbered from 0 by name."""
    methods: list[str]
    scores: Mapping[str, Floats]
    """By the names of SCORES; those that the predictions hold."""


def open_rows(frames: pa.Table, taxonomy: Taxonomy, level: str) -> OpenRows:
    """What open-set figures need of a table of frame predictions, at the level "frame" or "clip".

    A clip's answer and max_softmax are of its mean probabilities, its energy and distance the mean over its readable
    frames. Raises DfxError for a detector: its class "fake" holds every method, so that none is unknown to it.
    """
    if taxonomy.task != "attribution":
        raise DfxError("the run tells real from fake, so no method is unknown to it; give an attribution run")
    columns = [name for name in SCORES.values() if name is not None and name in frames.column_names]
    facts = frames.drop_columns(columns)
    frames = frames.filter(pc.field("valid"))
    table = facts.filter(pc.field("valid"))
    means = {name: frames[name] for name in columns}
    if level == "clip":
        table = clip_table(facts)
        by_clip = frames.group_by("clip", use_threads=False).aggregate([(name, "mean") for name in columns])
        where = pc.index_in(table["clip"], value_set=by_clip["clip"])
        means = {name: by_clip[f"{name}_mean"].take(where) for name in columns}
    rows = scored(table, taxonomy)
    p = np.stack([table[f"p_{name}"].to_numpy() for name in taxonomy.classes], axis=1).astype(np.float64)
    # The other classes' sum, not 1 - p: next to 1 a float32 no longer tells one confident answer from another.
    np.put_along_axis(p, rows.predicted[:, None], 0.0, axis=1)
    scores = {"max_softmax": p.sum(axis=1)}
    for name, column in SCORES.items():
        if column in means:
            scores[name] = means[column].to_numpy().astype(np.float64)
    return OpenRows(
        known=rows.seen,
        right=rows.truth == rows.predicted,
        groups=rows.groups,
        methods=[rows.method_names[code] for code in rows.methods.tolist()],
        scores=scores,
    )


def figures(known: Floats, unknown: Floats, right: Floats) -> dict[str, Floats]:
    """The METRICS of R weightings, each of shape (R,), nan where there are no known or no unknown rows.

    Arguments from `cumulated`, over rising scores: the weight of known, of unknown, and of known and rightly answered
    rows that each threshold accepts, shape (R, P). Known is the positive class: TPR is the share of the known that is
    accepted, TNR the share of the unknown that is refused.

    auroc: that a random unknown row scores above a random known one, ties counting half. oscr: area under the correct
    classification rate over the false positive rate (Dhamija et al., NeurIPS 2018); at most the closed-set accuracy.
    tnr_at_95_tpr: TNR at the lowest threshold that accepts at least 95 % of the known. detection_accuracy: the largest
    mean of TPR and TNR over thresholds (DTACC, as in POSE, Yang et al., CVPR 2023).
    """
    num_known, num_unknown = known[:, -1:], unknown[:, -1:]
    tpr, fpr, ccr = share(known, num_known), share(unknown, num_unknown), share(right, num_known)
    enough = known >= ACCEPTED * num_known * (1 - 1e-12)  # 0.95 of a whole number is rarely whole in binary
    at = np.argmax(enough, axis=1)
    tnr = 1 - fpr[np.arange(len(fpr)), at]
    found = {
        "auroc": area(fpr, tpr),
        "oscr": area(fpr, ccr),
        "tnr_at_95_tpr": tnr,
        "detection_accuracy": (0.5 * (tpr + 1 - fpr)).max(axis=1),
    }
    defined = (num_known > 0)[:, 0] & (num_unknown > 0)[:, 0]
    return {name: np.where(defined, values, np.nan) for name, values in found.items()}


def accepted(rows: OpenRows, score: str) -> tuple[Floats, Floats, Floats]:
    """The first three arguments of `figures` for the rows as they are, each of shape (1, P)."""
    levels, num = levels_of(rows.scores[score])
    place = np.zeros(len(levels), np.int64)
    known, unknown, right = (
        cumulated(levels, num, place, ONCE, part) for part in (rows.known, ~rows.known, rows.right)
    )
    return known, unknown, right


def estimates(rows: OpenRows, score: str) -> dict[str, float] | None:
    """The METRICS of one of the rows' scores; None where they hold no known or no unknown row."""
    if rows.known.all() or not rows.known.any():
        return None
    return {name: float(values[0]) for name, values in figures(*accepted(rows, score)).items()}


def resampled_figures(rows: OpenRows, score: str, *, resamples: int = 1000, seed: int = 0) -> dict[str, Floats]:
    """The METRICS over draws of identity groups, each of shape (resamples,); nan where a draw leaves one undefined."""
    draws = draw_groups(rows.groups, resamples=resamples, seed=seed)
    levels, num = joined_levels(rows.scores[score], rows.known)
    place = draws.place(rows.groups)
    return figures(
        *(cumulated(levels, num, place, draws.weights, part) for part in (rows.known, ~rows.known, rows.right))
    )
