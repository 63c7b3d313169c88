"""A finished run's predictions: those it keeps, or made now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dataengine.selection import select
from dataengine.store import file_sha256
from trainers.predict import predict, prediction_path, read_predictions
from trainers.run import WEIGHTS_FILE, Run
from trainers.validation import first_of_each

OnProgress = Callable[[str, int, int], None]
"""Called with (what is predicted, samples done, samples in all)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Computing:
    """Where predictions are computed, and with how much at a time: changes the speed, not the result."""

    device: str = "auto"
    backend: str = "auto"
    batch: int = 64
    threads: int | None = None


def predictions(
    run: Run,
    ref: str,
    *,
    split: str = "test",
    augment: str = "none",
    computing: Computing,
    on_progress: OnProgress | None = None,
) -> tuple[pa.Table, dict[str, Any]]:
    """The table of `trainers.predict.predict_rows` for a store reference, and what it is of.

    Kept predictions are taken where the same weights made them and every sample could be read: the store may have been
    mended since. Raises DfxError for a store that is missing or has no such split or selection.
    """
    rows = select([ref], split=split)
    file = prediction_path(run.path, rows.stores[0], rows.refs[0], None, augment)
    if file.is_file():
        table, meta = read_predictions(file)
        if meta.get("weights") == file_sha256(run.path / WEIGHTS_FILE) and not meta["unreadable"]:
            return table, meta
    what = ref if augment == "none" else f"{ref}, {augment}"
    predict(
        run,
        ref,
        split=split,
        device=computing.device,
        backend=computing.backend,
        batch=computing.batch,
        threads=computing.threads,
        augment=augment,
        on_batch=None if on_progress is None else lambda done, total: on_progress(what, done, total),
    )
    return read_predictions(file)


def validation_predictions(run: Run) -> pa.Table | None:
    """The frames that model selection saw, each once, though two selections of one store may share some: the files
    that result.json names; None where they are gone.
    """
    files = [run.path / name for name in run.result["validation"]]
    tables = [read_predictions(file)[0].replace_schema_metadata(None) for file in files if file.is_file()]
    if not tables:
        return None
    frames = pa.concat_tables(tables)
    return frames.filter(first_of_each(frames))


def header(run: Run, meta: dict[str, Any]) -> dict[str, Any]:
    """What a result is of: run, store, ref, split, selection, fingerprint, task, classes."""
    named = ("store", "ref", "split", "selection", "fingerprint", "task", "classes")
    return {"run": run.name, **{name: meta[name] for name in named}}
