"""Two runs on the same samples: which is better, and by how much, with the same draws for both."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataengine.errors import StateError, unknown_name
from trainers.evaluation.assess import levels_of
from trainers.evaluation.bootstrap import compare
from trainers.evaluation.source import source_of
from trainers.evaluation.stored import find_stored
from trainers.metrics import CLIPS, metrics_of, scored
from trainers.predict import read_predictions
from trainers.run import Run, open_run


def compare_runs(
    first: str | Path,
    second: str | Path,
    ref: str,
    *,
    split: str = "test",
    clips: str = "mean",
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare the stored predictions of two finished runs; JSON-able, with stable keys: runs, store, selection, split,
    fingerprint, clips, frames, unreadable, groups, and for `frame` and `clip` each metric with the fields of
    `bootstrap.Difference`.

    Each run is scored at its own source's threshold and temperature. Frames that either run could not read are left out
    for both, `unreadable` of them. Metrics of attribution are compared between runs of the same classes alone: fewer
    classes are easier to tell apart. Raises StateError where both are one run, where one holds no such
    predictions, or where the two are of different rows.
    """
    if clips not in CLIPS:
        raise unknown_name("way from frames to clips", clips, CLIPS)
    runs = [open_run(path, weights=False) for path in (first, second)]
    if runs[0].path.resolve() == runs[1].path.resolve():
        raise StateError(f"{first} and {second} are one run; name another one to compare it with")
    (one, facts), (other, _) = (_predictions(run, ref, split) for run in runs)
    names = f"{runs[0].path} and {runs[1].path}"
    tables, unreadable = same_rows(one, other, names)
    sources = [source_of(run, clips) for run in runs]
    same_classes = runs[0].taxonomy == runs[1].taxonomy
    metrics = metrics_of(runs[0].taxonomy.task if same_classes else "detection")
    levels = [levels_of(table, clips) for table in tables]
    result: dict[str, Any] = {
        "runs": [str(run.path) for run in runs],
        **{name: facts[name] for name in ("store", "selection", "split", "fingerprint")},
        "clips": clips,
        "same_classes": same_classes,
        "frames": tables[0].num_rows,
        "unreadable": unreadable,
        "groups": pc.count_distinct(tables[0]["group"]).as_py(),
    }
    for level in ("frame", "clip"):
        sides = [
            scored(
                each[level], run.taxonomy, threshold=source.thresholds[level], temperature=source.temperatures[level]
            )
            for run, each, source in zip(runs, levels, sources, strict=True)
        ]
        found = compare(sides[0], sides[1], metrics, resamples=resamples, seed=seed)
        result[level] = {name: asdict(difference) for name, difference in found.items()}
    return result


def same_rows(first: pa.Table, second: pa.Table, names: str) -> tuple[tuple[pa.Table, pa.Table], int]:
    """The two tables in one order, without the frames that either could not read, and the number of these.

    Raises StateError where they are of different samples, or say other things of them; `names` is what it calls them.
    """
    tables = [table.replace_schema_metadata(None).sort_by("key") for table in (first, second)]
    keys = [table["key"].combine_chunks() for table in tables]
    if not keys[0].equals(keys[1]):
        only = [pc.sum(pc.invert(pc.is_in(a, value_set=b))).as_py() or 0 for a, b in (keys, keys[::-1])]
        raise StateError(
            f"{names} hold predictions of different rows ({only[0]} samples in the first alone, {only[1]} in the "
            "second); run `dfx eval` on the same store for both"
        )
    for name in ("clip", "group", "label", "method"):
        if not tables[0][name].combine_chunks().equals(tables[1][name].combine_chunks()):
            raise StateError(
                f"{names} hold predictions that differ in the {name} of a sample: the store has changed between "
                "them; run `dfx eval` again for both"
            )
    read = np.logical_and(*(table["valid"].to_numpy() for table in tables))
    return (tables[0].filter(pa.array(read)), tables[1].filter(pa.array(read))), int((~read).sum())


def _predictions(run: Run, ref: str, split: str) -> tuple[pa.Table, dict[str, Any]]:
    stored = find_stored(run.path, ref, split)
    if stored is None:
        raise StateError(
            f"{run.path} holds no predictions of {ref}, split {split}; make them with "
            f"`dfx eval {run.path} --on {ref} --split {split}`"
        )
    return read_predictions(stored.path)
