"""The report's tables, as plain values: the source x target matrix, confusion matrices, trials, settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataengine.errors import StateError
from trainers.evaluation.bootstrap import percentiles, resampled
from trainers.metrics import Confusion, confusion, methods_unseen, metrics_of, score
from trainers.report.material import NOT_SETTINGS, Row, RunMaterial, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One metric of one row on one target, by clip."""

    value: float | None
    """Mean over the seeds; None where it is undefined."""
    interval: tuple[float, float] | None
    """95 % bootstrap by identity group of that mean; None where there are too few groups."""
    seeds: tuple[float, ...]
    """The value of each seed."""
    chance: float
    """What an answer that ignores the image reaches."""
    own: bool
    """The target is a store that was trained on (another split of it)."""
    unseen: tuple[str, ...]
    """The target's methods that training held no class for."""
    all_unseen: bool
    """Every fake of the target is of such a method: there is no attribution to score."""
    num_clips: int
    groups: int

    @property
    def verdict(self) -> str:
        """How the value stands to chance, by its interval."""
        if self.value is None:
            return "undefined"
        if self.interval is None:
            return "without an interval (too few identity groups)"
        if self.interval[0] > self.chance:
            return "above chance"
        return "below chance" if self.interval[1] < self.chance else "not distinguishable from chance"


Matrix = Mapping[tuple[int, Target], Cell]
"""By the row's place and the target; a pair that was not evaluated is absent."""


def targets_of(rows: Sequence[Row]) -> tuple[Target, ...]:
    """Every target that any row was evaluated on: those trained on somewhere first, then by name."""
    found = {target for row in rows for run in row.runs for target in run.clips}
    sources = {fingerprint for row in rows for run in row.runs for fingerprint in run.fingerprints}
    return tuple(sorted(found, key=lambda t: (t.fingerprint not in sources, t.label, t.fingerprint)))


def matrix(rows: Sequence[Row], targets: Sequence[Target], metric: str) -> Matrix:
    """The source x target matrix of one metric, over the rows of whose task it is."""
    return {
        (i, target): cell(row, target, metric)
        for i, row in enumerate(rows)
        for target in targets
        if metric in metrics_of(row.task) and any(target in run.clips for run in row.runs)
    }


def cell(row: Row, target: Target, metric: str) -> Cell:
    """A metric over a row's seeds; each sees the same resampled groups, so that their mean has an interval."""
    runs = [run for run in row.runs if target in run.clips]
    tables = [run.clips[target] for run in runs]
    values = [
        score(table, run.taxonomy, threshold=run.threshold)[metric] for run, table in zip(runs, tables, strict=True)
    ]
    seeds = tuple(float(value) for value in values if value is not None)
    defined = len(seeds) == len(values)
    value = float(np.mean(seeds)) if defined else None
    drawn = [
        resampled(table, run.taxonomy, metric, threshold=run.threshold) for run, table in zip(runs, tables, strict=True)
    ]
    interval = None
    if value is not None and all(draws is not None for draws in drawn):
        interval = percentiles(np.mean(np.stack([draws for draws in drawn if draws is not None]), axis=0), value)
    first, taxonomy = tables[0], runs[0].taxonomy
    unseen = tuple(methods_unseen(first, taxonomy))
    fakes = set(first.filter(pc.equal(first["label"], 1))["method"].to_pylist())
    seen = set(first["method"].to_pylist()) - set(unseen)
    return Cell(
        value=value,
        interval=interval,
        seeds=seeds,
        chance=1 / max(1, len(seen)) if metric.startswith("attribution") else 0.5,
        own=target.fingerprint in row.runs[0].fingerprints,
        unseen=unseen,
        all_unseen=bool(fakes) and fakes <= set(unseen),
        num_clips=first.num_rows,
        groups=len(set(first["group"].to_pylist())),
    )


def pooled_confusion(row: Row, target: Target) -> Confusion:
    """The confusion matrix over clips, summed over the seeds."""
    runs = [run for run in row.runs if target in run.clips]
    tables = pa.concat_tables(run.clips[target].replace_schema_metadata(None) for run in runs)
    return confusion(tables, runs[0].taxonomy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """The best trials of a sweep, in order of the source's validation score."""

    targets: tuple[str, ...]
    """The columns `target/{store}/{metric}` of the trials table that are shown, without that prefix."""
    rows: tuple[Mapping[str, Any], ...]
    varied: tuple[str, ...]
    """Settings that the sweep varied."""
    num: int
    """Trials in all."""
    status: Mapping[str, int]

    @property
    def heads(self) -> list[tuple[str, list[str]]]:
        """Each store with what its columns are called, in the order of `targets`."""
        heads: dict[str, list[str]] = {}
        for name in self.targets:
            store, _, metric = name.rpartition("/")
            heads.setdefault(store, []).append(SHOWN[metric])
        return list(heads.items())


SHOWN = {"attribution_balanced_accuracy": "method", "detection_auc": "AUC"}
"""The metrics of targets that the table of trials shows, and their columns' names; trials.parquet holds them all."""


TRIAL_COLUMNS = (
    "trial_id", "source", "model", "loss", "seed", "status", "score", "epochs", "seconds", "run", "config",
)  # fmt: skip
"""What is read of every trial, beside the columns of targets."""


def read_trials(path: Path, *, best: int = 15) -> Trials:
    """A sweep's trials.parquet, the best by `score` first. The columns of targets play no part in the order."""
    rows = _sorted_trials(path)
    columns = [name for name in dict.fromkeys(name for row in rows for name in row) if name.rpartition("/")[2] in SHOWN]
    columns = [name for name in columns if any(row[name] is not None for row in rows)]
    shown = {"data", "model", "loss", "task", *NOT_SETTINGS}
    names = sorted({name for row in rows for name in row["settings"]} - shown)
    varied = [n for n in names if len({json.dumps(row["settings"].get(n)) for row in rows}) > 1]
    status: dict[str, int] = {}
    for row in rows:
        status[row["status"]] = status.get(row["status"], 0) + 1
    return Trials(
        targets=tuple(sorted(name.removeprefix("target/") for name in columns if name.startswith("target/"))),
        rows=tuple(rows[:best]),
        varied=tuple(varied),
        num=len(rows),
        status=status,
    )


def _sorted_trials(path: Path) -> list[dict[str, Any]]:
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise StateError(f"{path} does not exist; name the folder of a sweep, with its trials.parquet") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise StateError(f"{path} is damaged ({str(error).splitlines()[0]}); resume the sweep with --resume") from None
    if absent := [name for name in TRIAL_COLUMNS if name not in table.column_names]:
        raise StateError(f"{path} is no table of trials (no column {', '.join(absent)}); name the folder of a sweep")
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        row["settings"] = json.loads(row["config"])
    return sorted(rows, key=lambda row: (row["score"] is None, -(row["score"] or 0.0), row["trial_id"]))


def runs_of_trials(path: Path) -> list[Path]:
    """The run folders to report of a sweep: for each source, model and loss the settings of the best validation score.

    All seeds of those settings are taken. Targets have no say, so that nothing becomes an oracle by being shown.
    """
    rows = [row for row in _sorted_trials(path) if row["score"] is not None and row["status"] == "done"]
    chosen: dict[tuple[str, str, str], str] = {}
    runs = []
    for row in rows:
        family = (row["source"], row["model"], row["loss"])
        settings = json.dumps({n: v for n, v in row["settings"].items() if n not in NOT_SETTINGS}, sort_keys=True)
        folder = Path(row["run"])
        folder = folder if folder.is_absolute() or folder.is_dir() else path.parent / folder
        if chosen.setdefault(family, settings) == settings:
            runs.append(folder)
    return runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every run shares, and what it has of its own."""

    common: tuple[tuple[str, str], ...]
    varied: tuple[str, ...]
    each: tuple[tuple[str, tuple[str, ...]], ...]
    """(run name, its values of `varied`)."""


def settings(runs: Sequence[RunMaterial]) -> Settings:
    """The settings of all runs, those they share told once."""
    names = list(dict.fromkeys(name for run in runs for name in run.train))
    value = {name: [shown(run.train.get(name)) for run in runs] for name in names}
    varied = tuple(name for name in names if len(set(value[name])) > 1)
    return Settings(
        common=tuple((name, value[name][0]) for name in names if name not in varied),
        varied=varied,
        each=tuple((run.name, tuple(value[name][i] for name in varied)) for i, run in enumerate(runs)),
    )


def shown(value: Any) -> str:
    """A setting's value as the page writes it."""
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    if isinstance(value, float):
        return f"{value:g}"
    return "–" if value is None else str(value)


def stores(runs: Sequence[RunMaterial]) -> tuple[tuple[str, str, str], ...]:
    """(name, fingerprint, role) of every store that a number here came from."""
    roles: dict[tuple[str, str], set[str]] = {}
    for run in runs:
        for source in run.config["sources"]:
            roles.setdefault((source["name"], source["fingerprint"]), set()).add("trained on")
        for target in run.clips:
            roles.setdefault((target.store, target.fingerprint), set()).add(f"evaluated ({target.split})")
    return tuple((name, mark, ", ".join(sorted(role, reverse=True))) for (name, mark), role in sorted(roles.items()))
