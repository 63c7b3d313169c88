"""What a report is made from: run folders, read once into plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from dataengine.errors import StateError
from trainers.config import MACHINE
from trainers.evaluation.evaluate import EVALUATIONS, read_result
from trainers.evaluation.source import source_thresholds
from trainers.metrics import clip_table
from trainers.predict import read_predictions
from trainers.run import PREDICTIONS, open_run
from trainers.taxonomy import Taxonomy

NOT_SETTINGS = ("seed", *MACHINE)
"""Fields of a training's settings that do not make it another experiment: a repetition, or where it ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One set of rows that runs were evaluated on."""

    store: str
    selection: str
    split: str
    fingerprint: str

    @property
    def label(self) -> str:
        """The store's name, with the selection and with a split other than test."""
        return f"{self.store}{self.selection}{'' if self.split == 'test' else f' ({self.split})'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMaterial:
    """One finished run folder."""

    path: Path
    config: Mapping[str, Any]
    taxonomy: Taxonomy
    epochs: tuple[Mapping[str, Any], ...]
    """The lines of metrics.jsonl."""
    threshold: float | None
    """p(fake) of a clip at the source's equal error rate, from its validation predictions."""
    clips: Mapping[Target, pa.Table]
    """Predictions by clip on everything but what model selection used."""
    unreadable: Mapping[Target, int]
    """Frames that entered no number."""
    shared: Mapping[Target, int]
    """Identity groups that were trained on as well, where `dfx eval` could tell."""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def train(self) -> Mapping[str, Any]:
        """The training's settings."""
        return dict(self.config["train"])

    @property
    def source(self) -> str:
        """The stores trained on, by name, with their selections; of an imported run only its file is known."""
        names = [f"{source['name']}{source['selection'] or ''}" for source in self.config["sources"]]
        return " + ".join(names) or f"unknown data ({self.config['imported']['file']})"

    @property
    def fingerprints(self) -> frozenset[str]:
        """Of the stores trained on."""
        return frozenset(source["fingerprint"] for source in self.config["sources"])

    @property
    def oracle(self) -> bool:
        """Whether something about this run was chosen with a look at a target (config.json says `oracle`)."""
        return bool(self.config.get("oracle", False))

    @property
    def selected(self) -> Mapping[str, Any] | None:
        """The line of metrics.jsonl whose weights were kept: the last that was best."""
        best = [line for line in self.epochs if line.get("best")]
        return best[-1] if best else None

    @property
    def validation(self) -> float | None:
        """The source's validation balanced accuracy, by clip, of the weights that were kept; in [0, 1]."""
        return self.selected["val_balanced_accuracy"] if self.selected else None


def read_run(path: Path) -> RunMaterial:
    """Read a run folder. Raises StateError where it isn't a finished run."""
    run = open_run(path)
    sources = {source["fingerprint"] for source in run.config["sources"]}
    clips: dict[Target, pa.Table] = {}
    unreadable: dict[Target, int] = {}
    shared: dict[Target, int] = {}
    for file in sorted((path / PREDICTIONS).glob("*.parquet")):
        table, meta = read_predictions(file)
        if "val" in meta["split"].split("+") and meta["fingerprint"] in sources:
            continue
        target = Target(
            store=meta["store"], selection=meta["selection"], split=meta["split"], fingerprint=meta["fingerprint"]
        )
        clips[target] = clip_table(table)
        unreadable[target] = len(table) - sum(table["valid"].to_pylist())
        record = path / EVALUATIONS / f"{file.stem}.json"
        if record.exists():
            result = read_result(record)
            if result is None:
                raise StateError(f"{record} is damaged; run `dfx eval` again on {meta['ref']}")
            if groups := result["groups_shared_with_training"]:
                shared[target] = groups
    return RunMaterial(
        path=path,
        config=run.config,
        taxonomy=run.taxonomy,
        epochs=tuple(run.metrics()),
        threshold=source_thresholds(run)["clip"],
        clips=clips,
        unreadable=unreadable,
        shared=shared,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One experiment: a source, a model and its settings; its runs differ in their seeds alone."""

    runs: tuple[RunMaterial, ...]
    differs: tuple[tuple[str, Any], ...]
    """Settings in which it differs from another row of the same source, model and loss."""

    @property
    def source(self) -> str:
        """The stores trained on."""
        return self.runs[0].source

    @property
    def model(self) -> str:
        """Model and loss, and whatever else tells it from its neighbours."""
        train = self.runs[0].train
        more = "".join(f", {name} {_short(value)}" for name, value in self.differs)
        return f"{train['model']}, {train['loss']}{more}"

    @property
    def task(self) -> str:
        """attribution or detection."""
        return self.runs[0].taxonomy.task

    @property
    def oracle(self) -> bool:
        """Whether any of its runs was chosen with a look at a target."""
        return any(run.oracle for run in self.runs)

    @property
    def validation(self) -> float | None:
        """Mean over seeds of the source's validation balanced accuracy."""
        values = [run.validation for run in self.runs if run.validation is not None]
        return sum(values) / len(values) if values else None


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def rows_of(runs: Sequence[RunMaterial]) -> tuple[Row, ...]:
    """Runs that share everything but the seed become one row; rows in order of task, source, model, loss."""
    groups: dict[str, list[RunMaterial]] = {}
    for run in runs:
        groups.setdefault(json.dumps(_experiment(run), sort_keys=True), []).append(run)
    rows = []
    for group in groups.values():
        first = group[0]
        near = [
            other[0].train for other in groups.values() if other is not group and _family(other[0]) == _family(first)
        ]
        names = [n for n in first.train if n not in (*NOT_SETTINGS, "data", "model", "loss", "task")]
        differs = tuple((n, first.train[n]) for n in names if any(o.get(n) != first.train[n] for o in near))
        seeds = sorted(group, key=lambda run: run.train.get("seed", 0))
        rows.append(Row(runs=tuple(seeds), differs=differs))
    return tuple(sorted(rows, key=lambda row: (row.task, row.source, row.model)))


def _family(run: RunMaterial) -> tuple[str, ...]:
    return (run.taxonomy.task, run.source, run.train["model"], run.train["loss"])


def _experiment(run: RunMaterial) -> dict[str, Any]:
    settings = {name: value for name, value in run.train.items() if name not in (*NOT_SETTINGS, "data")}
    return {"settings": settings, "sources": sorted(run.fingerprints), "source": run.source}
