"""How a model's figures fall under the fixed degradations of evaluation: JPEG, blur, noise and scaling, at five levels.

The degradations are those of `dataengine.augment` (`robustness:KIND:LEVEL`): keyed by a sample, so that every model
sees the same pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from dataengine.augment import ROBUSTNESS
from dataengine.errors import unknown_name
from dataengine.selection import select
from trainers.evaluation.bootstrap import percentiles, resampled
from trainers.evaluation.predicted import Computing, OnProgress, header, predictions
from trainers.evaluation.source import source_of
from trainers.metrics import clip_table, metrics_of, score
from trainers.run import open_run
from trainers.taxonomy import Taxonomy

KINDS = tuple(ROBUSTNESS)
NUM_LEVELS = 5

Tables = Mapping[tuple[str, int], pa.Table]
"""Frame predictions by kind and level, 1 (weakest) to 5."""


def curves(
    untouched: pa.Table,
    degraded: Tables,
    taxonomy: Taxonomy,
    *,
    threshold: float | None,
    temperature: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Every metric of the task by clip, at each level of each kind: {metric: {kind: [a point a level]}}.

    A point is JSON-able: `level`, 0 for the untouched samples; `strength` as in `dataengine.augment.ROBUSTNESS`, null
    at level 0; `value` and its 95 % bootstrap `interval` by identity group; `change` from level 0 and
    `change_interval`, for which both are resampled with the same draws. Null where undefined. `threshold` and
    `temperature` are the source's, of clips.
    """
    metrics = metrics_of(taxonomy.task)
    tables = {place: clip_table(table) for place, table in degraded.items()}
    kinds = [kind for kind in KINDS if any(kind == of for of, _ in degraded)]
    scores = {
        place: score(table, taxonomy, threshold=threshold, temperature=temperature) for place, table in tables.items()
    }
    clips = clip_table(untouched)
    at_zero = score(clips, taxonomy, threshold=threshold, temperature=temperature)
    result: dict[str, dict[str, list[dict[str, Any]]]] = {metric: {} for metric in metrics}
    for metric in metrics:
        drawn = partial(
            resampled,
            taxonomy=taxonomy,
            metric=metric,
            threshold=threshold,
            temperature=temperature,
            resamples=resamples,
            seed=seed,
        )
        zero, drawn_zero = at_zero[metric], drawn(clips)
        first = _point(0, None, zero, drawn_zero, zero, drawn_zero)
        for kind in kinds:
            points = [first]
            for level, strength in enumerate(ROBUSTNESS[kind], 1):
                place = (kind, level)
                points.append(_point(level, strength, scores[place][metric], drawn(tables[place]), zero, drawn_zero))
            result[metric][kind] = points
    return result


def _point(
    level: int, strength: float | None, value: float | None, drawn: Any, zero: float | None, drawn_zero: Any
) -> dict[str, Any]:
    change = None if value is None or zero is None else value - zero
    return {
        "level": level,
        "strength": strength,
        "value": value,
        "interval": None if value is None or drawn is None else percentiles(drawn, value),
        "change": change,
        "change_interval": (
            None if change is None or drawn is None or drawn_zero is None else percentiles(drawn - drawn_zero, change)
        ),
    }


def robustness(
    path: str | Path,
    refs: Sequence[str],
    *,
    kinds: Sequence[str] = KINDS,
    split: str = "test",
    computing: Computing | None = None,
    resamples: int = 1000,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> list[dict[str, Any]]:
    """Predict each store reference untouched and under each level of `kinds`, and give the curves of every metric.

    Each result holds what `evaluation.predicted.header` gives, `clips`, `groups`, `threshold` and `curves`. Predictions
    are kept in the run, so that a run that is broken off goes on where it stood. Raises DfxError, before anything is
    predicted, for an unknown kind and for a store that is missing or has no such split.
    """
    for kind in kinds:
        if kind not in ROBUSTNESS:
            raise unknown_name("degradation", kind, KINDS)
    run = open_run(path)
    for ref in refs:
        select([ref], split=split)
    source = source_of(run)
    threshold, temperature = source.thresholds["clip"], source.temperatures["clip"]
    predicted = partial(predictions, run, split=split, computing=computing or Computing(), on_progress=on_progress)
    results = []
    for ref in refs:
        untouched, meta = predicted(ref)
        degraded = {
            (kind, level): predicted(ref, augment=f"robustness:{kind}:{level}")[0]
            for kind in kinds
            for level in range(1, NUM_LEVELS + 1)
        }
        clips = clip_table(untouched)
        found = curves(
            untouched,
            degraded,
            run.taxonomy,
            threshold=threshold,
            temperature=temperature,
            resamples=resamples,
            seed=seed,
        )
        results.append(
            {
                **header(run, meta),
                "clips": clips.num_rows,
                "groups": len(set(clips["group"].to_pylist())),
                "threshold": threshold,
                "curves": found,
            }
        )
    return results
