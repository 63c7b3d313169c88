"""What a run's predictions say of unknown methods, and the threshold above which a clip is answered "unknown".

The threshold is the source's: nothing here is fitted to a target.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dataengine.errors import StateError, unknown_name
from dataengine.selection import select
from trainers.checkpoint import write_json
from trainers.evaluation.bootstrap import MIN_GROUPS, percentiles
from trainers.evaluation.group_weights import Bools, Floats, Ints, draw_groups, share
from trainers.evaluation.predicted import Computing, OnProgress, header, predictions, validation_predictions
from trainers.openset.measure import ACCEPTED, METRICS, SCORES, OpenRows, estimates, open_rows, resampled_figures
from trainers.run import Run, open_run
from trainers.taxonomy import Taxonomy

FORMAT = 1
THRESHOLD_FILE = "openset.json"

DEFAULT_SCORE = "max_softmax"
"""Which one cannot be chosen by results, since a source holds nothing unknown to try them on. This one every run has,
whatever its loss: energy is a density only after cross-entropy on free logits, and prototypes not every run keeps. It
is the confidence in the answer itself, and it improves with closed-set accuracy (Vaze et al., ICLR 2022), which is what
the source's validation split selects for."""

LEVEL_NAMES = ("clip", "frame")


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
) -> list[tuple[dict[str, Any], OpenRows]]:
    """Fit the source's threshold, write it as `openset.json` into the run, and assess each store reference.

    Gives a result for each, with the clips that it is of: what `evaluation.predicted.header` gives, `threshold`
    (the contents of the file) and what `assess` gives. Raises DfxError, before anything is predicted, for a store that
    is missing or has no such split.
    """
    run = open_run(path)
    for ref in refs:
        select([ref], split=split)
    threshold = _source_threshold(run, score)
    write_json(run.path / THRESHOLD_FILE, threshold)
    results: list[tuple[dict[str, Any], OpenRows]] = []
    for ref in refs:
        frames, meta = predictions(run, ref, split=split, computing=computing or Computing(), on_progress=on_progress)
        found = assess(frames, run.taxonomy, threshold=threshold, resamples=resamples, seed=seed)
        result = {**header(run, meta), "threshold": threshold, **found}
        results.append((result, open_rows(frames, run.taxonomy, "clip")))
    return results


def _source_threshold(run: Run, score: str) -> dict[str, Any]:
    validation = validation_predictions(run)
    if validation is None:
        raise StateError(f"{run.path} holds no validation predictions to fit a threshold to; train the run again")
    return fit_threshold(validation, run.taxonomy, score)
