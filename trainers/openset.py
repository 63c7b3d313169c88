"""Open-set attribution: does a model that names methods notice one it was never shown?

Known rows are those whose method is a class of the taxonomy, real among them; all others are unknown. A score, higher
for more unknown, orders them; the model answers "unknown" where it is above a threshold. The threshold is the source's:
nothing here is fitted to a target.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataengine.errors import DfxError, StateError, unknown_name
from dataengine.store import select
from trainers.bootstrap import MIN_GROUPS, percentiles
from trainers.checkpoint import write_json
from trainers.group_weights import LEVELS, ONCE, Bools, Floats, Ints, area, cumulated, draw_groups, levels_of, share
from trainers.metrics import clip_table, scored
from trainers.predicted import Computing, OnProgress, header, predictions, validation_predictions
from trainers.run import Run, open_run
from trainers.taxonomy import Taxonomy

FORMAT = 1
THRESHOLD_FILE = "openset.json"

ACCEPTED = 0.95
"""Share of the source's known clips that the threshold accepts: the rate at which TNR is read too."""

SCORES = {"max_softmax": None, "energy": "energy", "prototype_distance": "distance"}
"""Scores by name, higher for more unknown, with the column of a prediction table that holds it.

max_softmax: 1 - the largest probability (Hendrycks and Gimpel, ICLR 2017). energy: -logsumexp of the logits (Liu et
al., NeurIPS 2020). prototype_distance: 1 - the largest cosine similarity of the embedding to a class's prototype."""

DEFAULT_SCORE = "max_softmax"
"""Which one cannot be chosen by results, since a source holds nothing unknown to try them on. This one every run has,
whatever its loss: energy is a density only after cross-entropy on free logits, and prototypes not every run keeps. It
is the confidence in the answer itself, and it improves with closed-set accuracy (Vaze et al., ICLR 2022), which is what
the source's validation split selects for."""

METRICS = ("auroc", "oscr", "tnr_at_95_tpr", "detection_accuracy")
"""What `figures` gives, each in [0, 1], more being better."""

LEVEL_NAMES = ("clip", "frame")


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
        methods=rows.methods,
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


def estimates(rows: OpenRows, score: str) -> dict[str, float] | None:
    """The METRICS of one of the rows' scores; None where they hold no known or no unknown row."""
    if rows.known.all() or not rows.known.any():
        return None
    levels, num = levels_of(rows.scores[score])
    place = np.zeros(len(levels), np.int64)
    sums = (cumulated(levels, num, place, ONCE, part) for part in (rows.known, ~rows.known, rows.right))
    return {name: float(values[0]) for name, values in figures(*sums).items()}


def resampled_figures(rows: OpenRows, score: str, *, resamples: int = 1000, seed: int = 0) -> dict[str, Floats]:
    """The METRICS over draws of identity groups, each of shape (resamples,); nan where a draw leaves one undefined."""
    draws = draw_groups(rows.groups, resamples=resamples, seed=seed)
    levels, num = levels_of(rows.scores[score], LEVELS)
    place = draws.place(rows.groups)
    return figures(
        *(cumulated(levels, num, place, draws.weights, part) for part in (rows.known, ~rows.known, rows.right))
    )


def fit_threshold(validation: pa.Table, taxonomy: Taxonomy, score: str = DEFAULT_SCORE) -> dict[str, Any]:
    """What `openset.json` holds: the lowest threshold that accepts ACCEPTED of the known clips of validation frames.

    A clip whose score is above it is answered "unknown". Raises DfxError for an unknown score, StateError where the
    frames lack it or hold no known clip.
    """
    if score not in SCORES:
        raise unknown_name("open-set score", score, SCORES)
    rows = open_rows(validation, taxonomy, "clip")
    if score not in rows.scores:
        raise StateError(
            f"the validation predictions have no column '{SCORES[score]}', which {score} needs; train the run again "
            f"with this version, or use {DEFAULT_SCORE}"
        )
    known = np.sort(rows.scores[score][rows.known])
    if not len(known):
        raise StateError("the validation predictions hold no readable clip of a known method; train the run again")
    accepted = int(np.ceil(ACCEPTED * len(known) * (1 - 1e-12)))
    return {
        "format": FORMAT,
        "score": score,
        "threshold": float(known[accepted - 1]),
        "accepted": ACCEPTED,
        "level": "clip",
        "num_clips": len(known),
    }


def assess(
    frames: pa.Table,
    taxonomy: Taxonomy,
    *,
    threshold: Mapping[str, Any] | None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything open-set that a table of frame predictions says, as JSON-able values with stable keys.

    `known` and `unknown` count clips, frames and the clips of each method; `groups`. `clip` and `frame` hold, for each
    score there is, each of METRICS as {value, interval}: null where undefined; no interval below
    `bootstrap.MIN_GROUPS` groups. `at_threshold`: the share of known clips that `threshold` (of `fit_threshold`)
    accepts and of unknown ones that it refuses; null without one, or where the predictions lack its score.
    """
    levels = {level: open_rows(frames, taxonomy, level) for level in LEVEL_NAMES}
    return {
        "known": _counts(levels, known=True),
        "unknown": _counts(levels, known=False),
        "groups": len(np.unique(levels["clip"].groups)),
        **{
            level: {name: _with_intervals(rows, name, resamples=resamples, seed=seed) for name in rows.scores}
            for level, rows in levels.items()
        },
        "at_threshold": _at_threshold(levels["clip"], threshold, resamples=resamples, seed=seed),
    }


def _counts(levels: Mapping[str, OpenRows], *, known: bool) -> dict[str, Any]:
    clips, frames = (levels[name] for name in LEVEL_NAMES)
    methods = Counter(name for name, is_known in zip(clips.methods, clips.known, strict=True) if is_known == known)
    return {
        "clips": methods.total(),
        "frames": int((frames.known == known).sum()),
        "methods": dict(sorted(methods.items())),
    }


def _with_intervals(rows: OpenRows, score: str, *, resamples: int, seed: int) -> dict[str, dict[str, Any] | None]:
    values = estimates(rows, score)
    if values is None:
        return dict.fromkeys(METRICS)
    drawn = None
    if len(np.unique(rows.groups)) >= MIN_GROUPS:
        drawn = resampled_figures(rows, score, resamples=resamples, seed=seed)
    return {name: _cell(value, None if drawn is None else drawn[name]) for name, value in values.items()}


def _cell(value: float, drawn: Floats | None) -> dict[str, Any]:
    return {"value": value, "interval": None if drawn is None else percentiles(drawn, value)}


def _at_threshold(
    rows: OpenRows, threshold: Mapping[str, Any] | None, *, resamples: int, seed: int
) -> dict[str, Any] | None:
    if threshold is None or threshold["score"] not in rows.scores:
        return None
    refused = rows.scores[threshold["score"]] > threshold["threshold"]
    cells: dict[str, Any] = {}
    for name, part, answer in (("known_accepted", rows.known, ~refused), ("unknown_refused", ~rows.known, refused)):
        cells[name] = None
        if part.any():
            cells[name] = _cell(float(answer[part].mean()), _shares(answer[part], rows.groups[part], resamples, seed))
    return cells


def _shares(answer: Bools, groups: Ints, resamples: int, seed: int) -> Floats | None:
    """The share of True over draws of the groups, shape (resamples,); None below MIN_GROUPS of them."""
    draws = draw_groups(groups, resamples=resamples, seed=seed)
    if len(draws.names) < MIN_GROUPS:
        return None
    place = draws.place(groups)
    true, every = (np.bincount(place, weights=values) for values in (answer, np.ones(len(answer))))
    return share(draws.weights @ true, draws.weights @ every)


def openset(
    path: str | Path,
    refs: Sequence[str],
    *,
    split: str = "test",
    score: str = DEFAULT_SCORE,
    computing: Computing | None = None,
    resamples: int = 1000,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> list[dict[str, Any]]:
    """Fit the source's threshold, write it as `openset.json` into the run, and assess each store reference.

    Each result holds what `trainers.predicted.header` gives, `threshold` (the contents of the file) and what `assess`
    gives. Raises DfxError, before anything is predicted, for a store that is missing or has no such split.
    """
    run = open_run(path)
    for ref in refs:
        select([ref], split=split)
    threshold = _source_threshold(run, score)
    write_json(run.path / THRESHOLD_FILE, threshold)
    results = []
    for ref in refs:
        frames, meta = predictions(run, ref, split=split, computing=computing or Computing(), on_progress=on_progress)
        found = assess(frames, run.taxonomy, threshold=threshold, resamples=resamples, seed=seed)
        results.append({**header(run, meta), "threshold": threshold, **found})
    return results


def _source_threshold(run: Run, score: str) -> dict[str, Any]:
    validation = validation_predictions(run)
    if validation is None:
        raise StateError(f"{run.path} holds no validation predictions to fit a threshold to; train the run again")
    return fit_threshold(validation, run.taxonomy, score)
