"""Recall of each true method: which fakes are found, and which are given their own name."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.evaluation.bootstrap import MIN_GROUPS, Interval, draws, percentiles
from trainers.metrics import Scored
from trainers.metrics.rows import Ints
from trainers.taxonomy import Taxonomy


def recall_by_method(
    rows: Scored, taxonomy: Taxonomy, *, resamples: int = 1000, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """For each true method present, in order of name: `num` rows of `groups` identity groups, and `detection` and
    `attribution`, the share of them that are given the right answer, each with its `_interval`.

    Right is for detection to be called fake at the threshold, and real for the method "real"; for attribution to be
    called by the method's own name. None: detection without a threshold; attribution of a method unseen in training, or
    of a detector. Intervals resample the groups that hold rows of the method, by the rules of `bootstrap.interval`.
    """
    found = None if rows.threshold is None else (rows.p_fake >= rows.threshold) == (rows.labels == 1)
    named = rows.predicted == rows.truth if taxonomy.task == "attribution" else None
    result: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(rows.method_names):
        own = rows.methods == number
        groups = np.unique(rows.groups[own], return_inverse=True)[1]
        tasks = {"detection": found, "attribution": named if name in taxonomy.classes else None}
        right = {task: answers[own] for task, answers in tasks.items() if answers is not None}
        spans = _intervals(right, groups, resamples, seed)
        result[name] = {"num": len(groups), "groups": int(groups.max()) + 1}
        for task in tasks:
            result[name][task] = float(right[task].mean()) if task in right else None
            result[name][f"{task}_interval"] = spans.get(task)
    return result


def _intervals(
    right: dict[str, npt.NDArray[np.bool_]], groups: Ints, resamples: int, seed: int
) -> dict[str, Interval | None]:
    sizes = np.bincount(groups).astype(np.float64)
    if not right or len(sizes) < MIN_GROUPS:
        return {}
    hits = np.stack([np.bincount(groups, answers.astype(np.float64)) for answers in right.values()], axis=1)
    drawn = (block.astype(np.float64) for block in draws(len(sizes), resamples, seed))
    shares = np.concatenate([(block @ hits) / (block @ sizes)[:, None] for block in drawn])
    return {task: percentiles(shares[:, i], float(right[task].mean())) for i, task in enumerate(right)}
