"""A finished run on the stores it is asked about: predictions, then every score with its interval.

`assess` is a pure function of predictions, so that any table can be remade from a run folder without a GPU; `evaluate`
adds the predictions that are missing, and what only the stores can tell: whether people are shared with training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dataengine.errors import DfxError
from dataengine.store import StoreRef, file_sha256, parse_ref, select
from trainers.bootstrap import interval
from trainers.checkpoint import write_json
from trainers.metrics import clip_table, confusion, methods_unseen, metrics_of, score, source_threshold
from trainers.predict import predict, prediction_path, read_predictions
from trainers.run import WEIGHTS_FILE, Run, open_run
from trainers.taxonomy import Taxonomy

EVALUATIONS = "evaluations"
"""The run's folder of results as JSON, a file for each file of predictions, with the weights that made it."""

Thresholds = Mapping[str, float | None]
"""The p(fake) from which a "frame" and a "clip" is called fake; None where the source gave none."""

OnProgress = Callable[[str, int, int], None]
"""Called with (store reference, samples predicted, samples in all)."""


def evaluate(
    path: str | Path,
    refs: Sequence[str],
    *,
    split: str = "test",
    device: str = "auto",
    backend: str = "auto",
    batch: int = 64,
    threads: int | None = None,
    resamples: int = 1000,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> list[dict[str, Any]]:
    """Score a finished run on each store reference, in their order; JSON-able, with stable keys.

    Each result holds run, store, ref, split, selection, fingerprint, task, classes, weights (sha256), what `assess`
    gives, and two warnings: `seen_in_training` (the store was trained on, if another split of it) and
    `groups_shared_with_training` (identity groups that were trained on as well; null where a source's store is not
    where it was). Both are null for an imported run, which does not know its sources. It is also written to
    `evaluations/` in the run. Predictions made by the same weights of the same samples are taken as they are, unless
    a sample could not be read: the store may have been mended since.
    Raises StateError for an unfinished run, and, before anything is predicted, DfxError for a store that
    is missing or has no such split or selection.
    """
    run = open_run(path)
    every = [select([ref], split=split) for ref in refs]
    thresholds = source_thresholds(run)
    trained = _trained_groups(run)
    weights = file_sha256(run.path / WEIGHTS_FILE)
    sources = {source["fingerprint"] for source in run.config["sources"]}
    results = []
    for ref, rows in zip(refs, every, strict=True):
        file = prediction_path(run.path, rows.stores[0], rows.refs[0], None)
        record = run.path / EVALUATIONS / f"{file.stem}.json"
        kept = read_predictions(file) if _made_by(record, weights) and file.is_file() else None
        if kept is not None and not kept[1]["unreadable"]:
            predictions, meta = kept
        else:
            predictions = predict(
                run,
                ref,
                split=split,
                device=device,
                backend=backend,
                batch=batch,
                threads=threads,
                on_batch=_reporter(on_progress, ref),
            )
            meta = json.loads(predictions.schema.metadata[b"dfx"])
        groups = set(rows.strings("group"))
        result = {
            "run": run.name,
            **{name: meta[name] for name in ("store", "ref", "split", "selection", "fingerprint", "task", "classes")},
            "weights": weights,
            **assess(predictions, run.taxonomy, thresholds=thresholds, resamples=resamples, seed=seed),
            "seen_in_training": meta["fingerprint"] in sources if sources else None,
            "groups_shared_with_training": None if trained is None else len(groups & trained),
        }
        write_json(record, result)
        results.append(result)
    return results


def read_result(record: Path) -> dict[str, Any] | None:
    """What `evaluate` wrote beside a file of predictions; None where there is nothing, or nothing whole."""
    try:
        result = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(result, dict) and {"weights", "groups_shared_with_training"} <= result.keys()
    return result if whole else None


def _made_by(record: Path, weights: str) -> bool:
    result = read_result(record)
    return result is not None and result["weights"] == weights


def _reporter(on_progress: OnProgress | None, ref: str) -> Callable[[int, int], None] | None:
    return None if on_progress is None else lambda done, total: on_progress(ref, done, total)


def _trained_groups(run: Run) -> set[str] | None:
    """The identity groups of the training rows; None where a source is unknown, not there any more or another now."""
    groups: set[str] = set()
    if not run.config["sources"]:
        return None
    for source in run.config["sources"]:
        try:
            where = parse_ref("store" + source["selection"]).where  # the path itself may hold an @
            rows = select([StoreRef(source["path"], where)], split="train")
        except DfxError:
            return None
        if rows.fingerprints != (source["fingerprint"],):
            return None
        groups.update(rows.strings("group"))
    return groups


def source_thresholds(run: Run) -> dict[str, float | None]:
    """Equal-error thresholds, for frames and for clips, of the run's own validation predictions.

    They are the files that result.json names, which training left for the split `val` of its sources; without them, or
    with one label only, the thresholds are None and what depends on them is undefined.
    """
    files = [run.path / name for name in run.result["validation"]]
    tables = [read_predictions(path)[0].replace_schema_metadata(None) for path in files if path.exists()]
    if not tables:
        return {"frame": None, "clip": None}
    frames = pa.concat_tables(tables)
    return {
        "frame": source_threshold(frames, run.taxonomy),
        "clip": source_threshold(clip_table(frames), run.taxonomy),
    }


def assess(
    predictions: pa.Table,
    taxonomy: Taxonomy,
    *,
    thresholds: Thresholds,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything that one table of frame predictions says, as JSON-able values with stable keys.

    `frame` and `clip` hold `metrics.score`; `intervals` the same metrics' 95 % bootstrap intervals or null;
    `confusion` counts clips; `unseen` lists the methods training held no class for; `unreadable` counts frames,
    and clips without any readable frame, that entered no number.
    """
    clips = clip_table(predictions)
    levels = {"frame": predictions, "clip": clips}
    matrix = confusion(clips, taxonomy)
    unseen_frames, unseen_clips = (methods_unseen(level, taxonomy) for level in (predictions, clips))
    num_clips = pc.count_distinct(predictions["clip"]).as_py()
    return {
        **{name: score(table, taxonomy, threshold=thresholds[name]) for name, table in levels.items()},
        "intervals": {
            name: {
                metric: interval(table, taxonomy, metric, threshold=thresholds[name], resamples=resamples, seed=seed)
                for metric in metrics_of(taxonomy.task)
            }
            for name, table in levels.items()
        },
        "groups": pc.count_distinct(predictions["group"]).as_py(),
        "confusion": {
            "rows": list(matrix.rows),
            "columns": list(matrix.columns),
            "counts": [list(row) for row in matrix.counts],
        },
        "unseen": [
            {"method": method, "clips": unseen_clips.get(method, 0), "frames": frames}
            for method, frames in unseen_frames.items()
        ],
        "unreadable": {
            "frames": predictions.num_rows - pc.sum(predictions["valid"]).as_py(),
            "clips": num_clips - clips.num_rows,
        },
    }
