"""The sweep's memory: one small JSON file a trial, from which a killed sweep is taken up again.

Ray Tune can restore its own experiment folder, but that is pickled code and state tied to one Ray version, and a
changed number of samples is refused. A sweep's whole state is what its trials were and how they ended, so dfx keeps
exactly that, readable.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from dataengine.errors import StateError
from tune_spaces.space import Settings

Status = Literal["running", "done", "stopped", "failed"]
"""`running` in the file of a sweep that is not running: the trial was cut off. `stopped`: by early stopping, before
its last epoch; such a trial is not evaluated on the targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One training of a sweep, and what became of it."""

    trial_id: str
    """Also the name of its run folder."""
    source: str
    """Name of the store that it trains on."""
    stage: Literal["search", "seed"]
    """`seed`: the best settings of a search trial again, with another seed, never stopped early."""
    number: int
    """Of the search trial in its source, from 0; a seed trial has that of the trial whose settings it repeats."""
    settings: Settings
    """What the search chose."""
    seed: int
    status: Status = "running"
    scores: tuple[float, ...] = ()
    """After each epoch, the best value so far of the source's validation metric, by clip."""
    seconds: float = 0.0
    """Training and evaluation, since the trial was last taken up."""
    error: str = ""
    """One line, where the status is failed."""
    targets: dict[str, dict[str, float | None]] | None = None
    """For each target store, its test split's metrics by clip; none of them takes part in any choice."""

    @property
    def score(self) -> float | None:
        """The source's validation metric at the best epoch: the one number that trials are compared by."""
        return max(self.scores, default=None)


def write_trial(folder: Path, trial: Trial) -> None:
    """Write a trial's record under a sweep's folder, whole or not at all."""
    from trainers.checkpoint import write_json  # imports torch, which reading a space or a record does not need

    write_json(folder / f"{trial.trial_id}.json", asdict(trial))


def read_trials(folder: Path) -> list[Trial]:
    """Every recorded trial, by trial_id. Raises StateError for a file that is no record."""
    return [_read(path) for path in sorted(folder.glob("*.json"))]


def _read(path: Path) -> Trial:
    try:
        record = json.loads(path.read_text())
        record["scores"] = tuple(record["scores"])
        return Trial(**record)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"{path} is no trial's record ({error}); delete it to repeat that trial") from None


def trials_table(trials: Sequence[Trial]) -> pa.Table:
    """One row a trial, in the order given.

    Columns: trial_id, source, stage, model, loss, seed, status, score (null where no epoch ended), epochs, seconds,
    run (its folder, below the sweep's), config (the settings as JSON), error, and `target/{store}/{metric}` for every
    target, null where it is undefined or the trial was not evaluated.
    """
    columns: dict[str, pa.Array] = {
        "trial_id": pa.array([t.trial_id for t in trials], pa.string()),
        "source": pa.array([t.source for t in trials], pa.string()),
        "stage": pa.array([t.stage for t in trials], pa.string()),
        "model": pa.array([t.settings.get("model") for t in trials], pa.string()),
        "loss": pa.array([t.settings.get("loss") for t in trials], pa.string()),
        "seed": pa.array([t.seed for t in trials], pa.int64()),
        "status": pa.array([t.status for t in trials], pa.string()),
        "score": pa.array([t.score for t in trials], pa.float64()),
        "epochs": pa.array([len(t.scores) for t in trials], pa.int32()),
        "seconds": pa.array([t.seconds for t in trials], pa.float64()),
        "run": pa.array([f"runs/{t.trial_id}" for t in trials], pa.string()),
        "config": pa.array([json.dumps(t.settings, sort_keys=True) for t in trials], pa.string()),
        "error": pa.array([t.error for t in trials], pa.string()),
    }
    names = sorted({(store, metric) for t in trials for store, row in (t.targets or {}).items() for metric in row})
    for store, metric in names:
        values = [(t.targets or {}).get(store, {}).get(metric) for t in trials]
        columns[f"target/{store}/{metric}"] = pa.array(values, pa.float64())
    return pa.table(columns)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet, whole or not at all."""
    from trainers.checkpoint import write_whole

    write_whole(path, lambda file: pq.write_table(table, file))
