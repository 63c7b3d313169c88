"""What a detector loses on datasets that it has not seen, with intervals.

Source: Li, Sun and Poskitt, "How Generalizable are Deepfake Detectors? An Empirical Study" (arXiv:2308.04177).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataengine.errors import DfxError, unknown_name
from trainers.evaluation.bootstrap import MIN_GROUPS, percentiles
from trainers.evaluation.group_weights import (
    Bools,
    Draws,
    Floats,
    Ints,
    area,
    cumulated,
    draw_groups,
    joined_levels,
    share,
)
from trainers.metrics import Scored, metrics_of, score, scored
from trainers.taxonomy import Taxonomy

METRICS = (
    "detection_accuracy",
    "detection_balanced_accuracy",
    "detection_auc",
    "attribution_accuracy",
    "attribution_balanced_accuracy",
)
"""What a degradation may be of: each is better when larger. The study's is the first."""

DERIVED = ("unseen_average", "degradation", "specialised_average", "specialised_degradation", "difference")
"""What `degradation` gives beside the sets' own values; the last three with specialised sets alone."""

ORIGINAL, UNSEEN, SPECIALISED = ROLES = ("original", "unseen", "specialised")
"""Of a set of test rows: of the dataset trained on; of another; of another with one thing kept as in training, such as
the method or the people."""

Names = npt.NDArray[np.str_]
Value = TypeVar("Value", float, Floats)


def degradation(original: Value, unseen: Sequence[Value], specialised: Sequence[Value] = ()) -> dict[str, Value]:
    """DERIVED of a metric's values on each set, in their unit: shares, percent, or arrays of draws.

    degradation = original - mean of the unseen; specialised_degradation the same with the specialised sets;
    difference = degradation - specialised_degradation, what keeping that one thing gains. Raises DfxError without an
    unseen set.
    """
    if not unseen:
        raise DfxError("a degradation needs at least one set that is unseen")
    average: Value = sum(unseen[1:], start=unseen[0]) / len(unseen)
    result = {"unseen_average": average, "degradation": original - average}
    if specialised:
        kept: Value = sum(specialised[1:], start=specialised[0]) / len(specialised)
        result |= {
            "specialised_average": kept,
            "specialised_degradation": original - kept,
            "difference": kept - average,
        }
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalSet:
    """Predictions of one set of test rows, of frames or of clips."""

    role: str
    """One of ROLES."""
    name: str
    table: pa.Table


def assess(
    sets: Sequence[EvalSet],
    taxonomy: Taxonomy,
    metric: str,
    *,
    threshold: float | None,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """A run's values on each set, and DERIVED of them, as JSON-able values in [-1, 1] with 95 % intervals.

    `sets` holds {role, name, num, groups, value, interval} each, in their order; each of DERIVED is {value, interval}.
    A value is null where the metric is undefined, and so is what follows from it; an interval also where a set that
    enters it has fewer than `bootstrap.MIN_GROUPS` groups.

    Sets that share an identity group, as two selections of one store do, are resampled together: a draw gives a group
    the same weight in each. All others are resampled independently. Runs over the same sets see the same draws. Raises
    DfxError for a metric that is none of METRICS or not of the run's task, and where not exactly one set is the
    original.
    """
    known = [name for name in METRICS if name in metrics_of(taxonomy.task)]
    if metric in METRICS and metric not in known:
        raise DfxError(f"{metric} is of attribution, and the run tells real from fake alone; take {' or '.join(known)}")
    if metric not in known:
        raise unknown_name("metric of a degradation", metric, known)
    if [one.role for one in sets].count(ORIGINAL) != 1:
        raise DfxError("a degradation needs exactly one original set")
    rows = [scored(one.table, taxonomy) for one in sets]
    values = [score(one.table, taxonomy, threshold=threshold)[metric] for one in sets]
    names = [_entering_groups(one.table, row, metric) for one, row in zip(sets, rows, strict=True)]
    drawn: list[Floats | None] = [None] * len(sets)
    for number, together in enumerate(sharing([set(groups) for groups in names])):
        wide = [i for i in together if values[i] is not None and len(np.unique(names[i])) >= MIN_GROUPS]
        if not wide:
            continue
        own_seed = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
        draws = draw_groups(np.concatenate([names[i] for i in together]), resamples=resamples, seed=own_seed)
        for i in wide:
            drawn[i] = resampled_metric(metric, rows[i], names[i], draws, threshold)
    cells = [_cell(value, draw) for value, draw in zip(values, drawn, strict=True)]
    described = [
        {"role": one.role, "name": one.name, "num": len(row.labels), "groups": len(np.unique(row.groups)), **cell}
        for one, row, cell in zip(sets, rows, cells, strict=True)
    ]
    return {"metric": metric, "threshold": threshold, "sets": described, **_derived(sets, values, drawn)}


def sharing(groups: Sequence[set[str]]) -> list[list[int]]:
    """The sets' places, those that share a group, be it through others, together; in order of the first of each."""
    found: list[tuple[list[int], set[str]]] = []
    for i, own in enumerate(groups):
        near = [entry for entry in found if entry[1] & own]
        joined = (sorted([i, *(place for places, _ in near for place in places)]), own.union(*(of for _, of in near)))
        found = sorted([entry for entry in found if entry not in near] + [joined], key=lambda entry: entry[0][0])
    return [places for places, _ in found]


def resampled_metric(metric: str, rows: Scored, groups: Names, draws: Draws, threshold: float | None) -> Floats:
    """One of METRICS under each draw, shape (R,), nan where it is undefined; `groups` (of the rows that enter it)."""
    place, weights = draws.place(groups), draws.weights
    if metric == "detection_auc":
        levels, num = joined_levels(rows.p_fake, rows.labels == 1)
        real, fake = (cumulated(levels, num, place, weights, rows.labels == label) for label in (0, 1))
        return area(share(fake, fake[:, -1:]), share(real, real[:, -1:]))
    truth, right = _answers(metric, rows, threshold)
    num_classes = int(truth.max()) + 1
    right_of, all_of = (
        weights @ np.bincount(place * num_classes + truth, of, len(draws.names) * num_classes).reshape(-1, num_classes)
        for of in (right.astype(np.float64), np.ones(len(truth)))
    )
    if not metric.endswith("balanced_accuracy"):
        return share(right_of.sum(axis=1), all_of.sum(axis=1))
    present = all_of > 0
    recalls = np.where(present, share(right_of, all_of), 0.0)
    # Recall of the one class there is says nothing.
    return np.where(present.sum(axis=1) >= 2, share(recalls.sum(axis=1), present.sum(axis=1).astype(float)), np.nan)


def _answers(metric: str, rows: Scored, threshold: float | None) -> tuple[Ints, Bools]:
    """Of the rows that enter the metric: the true class, and whether the answer is right."""
    if metric.startswith("attribution"):
        return rows.truth[rows.seen], (rows.truth == rows.predicted)[rows.seen]
    assert threshold is not None  # without one the metric is undefined
    return rows.labels, (rows.p_fake >= threshold) == (rows.labels == 1)


def _entering_groups(table: pa.Table, rows: Scored, metric: str) -> Names:
    names = np.array(table.filter(table["valid"])["group"].to_pylist(), dtype=np.str_)
    return names[rows.seen] if metric.startswith("attribution") else names


def _derived(
    sets: Sequence[EvalSet], values: Sequence[float | int | None], drawn: Sequence[Floats | None]
) -> dict[str, dict[str, Any]]:
    """DERIVED, each {value, interval}: of the values that are there, and of the draws that are."""

    def by_role(of: Sequence[Any]) -> dict[str, list[Any]]:
        return {role: [x for x, one in zip(of, sets, strict=True) if one.role == role] for role in ROLES}

    value, draw = by_role(values), by_role(drawn)
    names = DERIVED if value[SPECIALISED] else DERIVED[:2]
    results = {}
    for name in names:
        entering = [role for role in ROLES if _enters(role, name)]
        defined = all(x is not None for role in entering for x in value[role])
        spread = all(x is not None for role in entering for x in draw[role])
        at = _one(name, value) if defined else None
        results[name] = _cell(at, _one(name, draw) if defined and spread else None)
    return results


def _enters(role: str, name: str) -> bool:
    return {
        "unseen_average": role == UNSEEN,
        "degradation": role in (ORIGINAL, UNSEEN),
        "specialised_average": role == SPECIALISED,
        "specialised_degradation": role in (ORIGINAL, SPECIALISED),
        "difference": role in (UNSEEN, SPECIALISED),
    }[name]


def _one(name: str, of: Mapping[str, list[Any]]) -> Any:
    """One of DERIVED; a value that does not enter it may be missing."""
    filled = {role: [0.0 if x is None else x for x in values] for role, values in of.items()}
    return degradation(filled[ORIGINAL][0], filled[UNSEEN], filled[SPECIALISED])[name]


def _cell(value: float | int | None, drawn: Floats | None) -> dict[str, Any]:
    interval = None if value is None or drawn is None else percentiles(drawn, float(value))
    return {"value": None if value is None else float(value), "interval": interval}
