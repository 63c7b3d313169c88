"""The degradation of finished runs over the same sets of test rows: a row of the study's tables each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataengine.errors import DfxError, unknown_name
from dataengine.place import place_of
from dataengine.refs import parse_ref
from dataengine.selection import select
from trainers.degradation.measure import ORIGINAL, SPECIALISED, UNSEEN, EvalSet, assess
from trainers.evaluation.predicted import Computing, OnProgress, predictions, validation_predictions
from trainers.metrics import clip_table, source_threshold
from trainers.run import Run, open_run

LEVELS = ("clip", "frame")


def degradations(
    paths: Sequence[str | Path],
    *,
    original: str,
    unseen: Sequence[str],
    specialised: Sequence[str] = (),
    metric: str = "detection_accuracy",
    level: str = "clip",
    threshold: float | None = None,
    split: str = "test",
    computing: Computing | None = None,
    resamples: int = 1000,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> list[dict[str, Any]]:
    """`measure.assess` of each run over the store references, with `run` and `level`, least degradation first.

    `threshold` is the p(fake) from which a row is called fake; None: each run's own, of its source's equal error rate
    at that level. The study's is 0.5, for frames. What is undefined comes last. Raises DfxError, before anything is
    predicted, for a store that is missing, given twice or has no such split, and for what `measure.assess` refuses.
    """
    if level not in LEVELS:
        raise unknown_name("level", level, LEVELS)
    refs = [(ORIGINAL, original), *((UNSEEN, ref) for ref in unseen), *((SPECIALISED, ref) for ref in specialised)]
    seen = set()
    for _, ref in refs:
        select([ref], split=split)
        parsed = parse_ref(ref)
        if (same := (place_of(parsed.path), parsed.where)) in seen:
            raise DfxError(
                f"{ref} is given twice; a store is the original, an unseen or a specialised one, and counts once"
            )
        seen.add(same)
    results = []
    for run in [open_run(path) for path in paths]:
        sets = []
        for role, ref in refs:
            table, meta = predictions(
                run, ref, split=split, computing=computing or Computing(), on_progress=on_progress
            )
            name = f"{meta['store']}{meta['selection']}"
            sets.append(EvalSet(role=role, name=name, table=clip_table(table) if level == "clip" else table))
        at = _source_threshold(run, level) if threshold is None else threshold
        found = assess(sets, run.taxonomy, metric, threshold=at, resamples=resamples, seed=seed)
        results.append({"run": run.name, "level": level, **found})
    return sorted(results, key=_rank)


def _rank(result: dict[str, Any]) -> tuple[bool, float]:
    value = result["degradation"]["value"]
    return value is None, value or 0.0


def _source_threshold(run: Run, level: str) -> float | None:
    frames = validation_predictions(run)
    if frames is None:
        return None
    return source_threshold(clip_table(frames) if level == "clip" else frames, run.taxonomy)
