"""A sweep: for each source store a search, each of its trials evaluated on every target store; then the report.

What is chosen, at every step, is chosen by the source's own validation split. Targets are only measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from filelock import FileLock, Timeout

from dataengine.errors import DfxError, StateError, StoreError, unknown_name
from dataengine.selection import select
from dataengine.store import DATASET_FILE, StoreRef, open_store, parse_ref
from trainers.config import MACHINE, TrainConfig
from tune_spaces import attribution, detection
from tune_spaces.records import Trial, read_trials, trials_table, write_table
from tune_spaces.resources import GPUS_PER_TRIAL
from tune_spaces.space import Space, narrow
from tune_spaces.weights import fetch_weights
from tune_spaces.work import GRID, SEARCHES, GridProposals, OptunaProposals, Search, SourceWork, Work

FORMAT = 1
"""Of `sweep.json` and the trials' records."""


SPACES: dict[str, Space] = {module.TASK: module.SPACE for module in (attribution, detection)}
"""The search space of each task."""


def space_of(task: str) -> Space:
    """The search space of a task. Raises DfxError for a task that has none."""
    if task not in SPACES:
        raise unknown_name("task", task, SPACES)
    return SPACES[task]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepConfig:
    """What a sweep is, and where it runs."""

    train: TrainConfig
    """What no trial changes. Its `data` are the sources, each searched by itself; its `seed` is the search's."""
    targets: tuple[str, ...]
    """Store references; every finished trial is evaluated on each one's test split."""
    search: Search = "optuna"
    """optuna: TPE with early stopping over the whole space. grid: every backbone with every loss, all else as in
    `train`, each to its last epoch: for a matrix, whose cells must be comparable."""
    samples: int = 20
    """Trials for each source (optuna): half are random, half near what did well. It may be raised on resuming."""
    seeds: int = 1
    """Trainings of each backbone's best settings, for the spread that one seed cannot show."""
    models: tuple[str, ...] = ()
    """Backbones instead of the space's."""
    losses: tuple[str, ...] = ()
    """Losses instead of the space's."""
    fixed: tuple[str, ...] = ()
    """Settings of the space that are not searched, but taken from `train`."""
    gpus: int | None = None
    """How many to use; None: all there are."""
    gpus_per_trial: float = GPUS_PER_TRIAL
    """Below 1, trials share a GPU."""
    address: str | None = None
    """Of a running Ray cluster; None: this machine."""

    def __post_init__(self) -> None:
        if self.search not in SEARCHES:
            raise unknown_name("search", self.search, SEARCHES)
        for name in ("samples", "seeds"):
            if getattr(self, name) < 1:
                raise DfxError(f"{name} is {getattr(self, name)}; give a whole number of at least 1")
        for name in self.fixed:
            if name in GRID:
                raise DfxError(
                    f"'{name}' is what a sweep compares; narrow it with --{'models' if name == 'model' else 'losses'}"
                )

    @property
    def space(self) -> Space:
        """What is searched of the task's space, with the backbones and losses that were asked for."""
        space = narrow(space_of(self.train.task), {"model": self.models, "loss": self.losses})
        searched = GRID if self.search == "grid" else [name for name in space if name not in self.fixed]
        return {name: space[name] for name in searched}


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """What came of a sweep."""

    folder: Path
    trials: tuple[Trial, ...]
    best: Mapping[str, Trial]
    """For each source, the finished trial with the highest score on its own validation split."""
    report: Path | None
    """The HTML page; None where no trial was evaluated on any target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The stores in a folder, by what they can be in a sweep."""

    sources: tuple[str, ...] = ()
    """Those with reals and fakes in both train and val."""
    targets: tuple[str, ...] = ()
    """Those with the split test."""
    skipped: tuple[tuple[str, str], ...] = ()
    """(folder, reason) of those that are broken, are no source although they have a train split, or are no target."""


def find_stores(folder: Path) -> Stores:
    """The stores among a folder's subfolders, sorted by name."""
    sources, targets, skipped = [], [], []
    for path in sorted(path.parent for path in folder.glob(f"*/{DATASET_FILE}")):
        try:
            index = open_store(path).index(["split", "label"])
        except StoreError as error:
            skipped.append((str(path), f"left out: {error}"))
            continue
        splits = set(pc.unique(index["split"]).to_pylist())
        lacking = [
            f"its split {split} holds no {what}"
            for split in ("train", "val")
            for label, what in ((0, "real"), (1, "fake"))
            if index.filter((pc.field("split") == split) & (pc.field("label") == label)).num_rows == 0
        ]
        if not lacking:
            sources.append(str(path))
        elif "train" in splits:
            skipped.append((str(path), f"no source: {lacking[0]}"))
        if "test" in splits:
            targets.append(str(path))
        else:
            skipped.append((str(path), "no target: it has no split test"))
    return Stores(sources=tuple(sources), targets=tuple(targets), skipped=tuple(skipped))


def sweep(
    config: SweepConfig,
    folder: str | Path,
    *,
    resume: bool = False,
    on_trial: Callable[[Work], None] | None = None,
    on_said: Callable[[str], None] | None = None,
) -> SweepResult:
    """Run a sweep in `folder`, or take up the one there; finished trials are never repeated.

    Writes `sweep.json`, `trials/` (a record a trial), `runs/` (a run folder a trial), `trials.parquet` and
    `report.html`. Trials that failed are recorded and, on resuming, tried again. `on_said` hears a line before
    what takes long and shows nothing. Raises DfxError where a store, setting, device or a backbone's weights are not
    there, where the folder holds another sweep, and where every trial failed.
    """
    folder = Path(folder).expanduser().resolve()
    sources, targets = _named(config.train.data, "train"), _named(config.targets, "test")
    _check(config, list(sources.values()))
    identity = _identity(config, sources, targets)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"{folder} cannot hold a sweep ({error.strerror}); choose another --out") from None
    try:
        with FileLock(folder / ".lock", timeout=0):
            _claim(folder, identity, resume=resume)
            return _run(config, folder, sources, targets, on_trial, on_said or (lambda line: None))
    except Timeout:
        raise StateError(f"a sweep is running in {folder}; wait for it, or choose another --name") from None


def _run(
    config: SweepConfig,
    folder: Path,
    sources: Mapping[str, StoreRef],
    targets: Mapping[str, StoreRef],
    on_trial: Callable[[Work], None] | None,
    on_said: Callable[[str], None],
) -> SweepResult:
    from trainers.report.page import build_report
    from tune_spaces.trial import Job
    from tune_spaces.tuner import run, session

    work = plan(config, list(sources), read_trials(folder / "trials"))
    if not work.finished:
        job = Job(
            runs=folder / "runs",
            train=config.train,
            sources={name: str(ref) for name, ref in sources.items()},
            targets={name: str(ref) for name, ref in targets.items()},
        )
        if config.address is None:
            models = map(str, getattr(config.space["model"], "options", ()))
            fetch_weights(models, config.train.weights, on_said)  # on a cluster each machine fetches its own
        on_said("Ray starts, which takes a while")
        with session(gpus=config.gpus, gpus_per_trial=config.gpus_per_trial, address=config.address) as share:
            halving, epochs = config.search == "optuna", config.train.epochs
            run(work, folder, job, share=share, epochs=epochs, halving=halving, on_trial=on_trial)
    trials = work.trials
    table = folder / "trials.parquet"
    write_table(trials_table(trials), table)
    done = [trial for trial in trials if trial.status == "done"]
    if not done:
        first = next(trial for trial in trials if trial.status == "failed")
        raise DfxError(f"all {len(trials)} trials failed, the first with: {first.error} (see {folder / 'trials'})")
    best: dict[str, Trial] = {}
    for trial in sorted(done, key=lambda trial: -(trial.score or 0.0)):
        best.setdefault(trial.source, trial)
    page = build_report([], folder / "report.html", trials=table, title=folder.name) if targets else None
    return SweepResult(folder=folder, trials=tuple(trials), best=best, report=page)


def plan(config: SweepConfig, sources: Sequence[str], known: Sequence[Trial]) -> Work:
    """The work of a sweep over sources (by name), of which the trials `known` have been run or begun."""
    space, seed = config.space, config.train.seed

    def of(source: str) -> SourceWork:
        proposals = (
            GridProposals(space)
            if config.search == "grid"
            else OptunaProposals(space, samples=config.samples, seed=seed, source=source)
        )
        mine = [trial for trial in known if trial.source == source]
        return SourceWork(source, proposals, seeds=config.seeds, seed=seed, known=mine)

    return Work([of(source) for source in sources])


def _named(refs: Sequence[str], split: str) -> dict[str, StoreRef]:
    """References by a name unique among them, with absolute paths: workers have another current folder."""
    named: dict[str, StoreRef] = {}
    for text in refs:
        rows = select([text], split=split)
        root = rows.stores[0].root.resolve()
        ref = StoreRef(str(root), parse_ref(text).where)
        name, n = rows.stores[0].name, 2
        while named.get(name, ref) != ref:
            name, n = f"{rows.stores[0].name}-{n}", n + 1
        named[name] = ref
    return named


def _check(config: SweepConfig, sources: Sequence[StoreRef]) -> None:
    """What would make every trial fail is said before the first one starts."""
    from dataengine.augment import augment_preset
    from trainers.models.catalogue import input_spec
    from trainers.taxonomy import check_validation, taxonomy_of

    for ref in sources:
        rows = select([ref], split="train")
        if config.train.batch > len(rows):
            raise DfxError(f"{ref} has {len(rows)} images to train on, less than a batch of {config.train.batch}")
        taxonomy = taxonomy_of(config.train.task, rows)
        check_validation(taxonomy, select([ref], split="val"))
    weights = config.train.weights
    if weights not in ("imagenet", "none") and not Path(weights).exists():
        raise DfxError(f"no weights at '{weights}'; give imagenet, none, a run folder or a file of weights")
    for name, check in (("model", input_spec), ("augment", augment_preset)):
        for value in getattr(config.space.get(name), "options", ()):
            check(str(value))
    for loss in getattr(config.space["loss"], "options", ()):
        replace(config.train, loss=str(loss))


def _identity(config: SweepConfig, sources: Mapping[str, StoreRef], targets: Mapping[str, StoreRef]) -> dict[str, Any]:
    """What makes two sweeps the same one, as JSON; the number of samples and seeds and the machine do not."""

    def stores(named: Mapping[str, StoreRef]) -> dict[str, list[str]]:
        return {name: [open_store(ref.path).fingerprint, ref.selection] for name, ref in named.items()}

    space = config.space
    fixed = {name: value for name, value in config.train.as_dict().items() if name not in {*MACHINE, "data", *space}}
    return {
        "format": FORMAT,
        "search": config.search,
        "sources": stores(sources),
        "targets": stores(targets),
        "space": {name: dimension.as_text() for name, dimension in space.items()},
        "fixed": fixed,
    }


def _claim(folder: Path, identity: Mapping[str, Any], *, resume: bool) -> None:
    """Make the folder this sweep's. Raises StateError where it is another's, or `resume` was not asked for."""
    from trainers.checkpoint import write_json

    path = folder / "sweep.json"
    if not path.exists() and resume:
        raise StateError(f"no sweep in {folder} to resume; start it without --resume")
    if not path.exists() or not (resume or any((folder / "trials").glob("*.json"))):
        write_json(path, identity)  # also over a sweep that ended before its first trial began
        return
    if not resume:
        raise StateError(f"{folder} holds a sweep; take it up with --resume, or choose another --name")
    try:
        found = json.loads(path.read_text())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise StateError(f"{path} is damaged; choose another --name")
    for key in identity:
        if found.get(key) != identity[key]:
            mine, theirs = _difference(identity[key], found.get(key))
            raise StateError(
                f"{folder} holds another sweep: {key} was {theirs}, now {mine}; "
                "resume with the same settings, or choose another --name"
            )


def _difference(mine: Any, theirs: Any) -> tuple[str, str]:
    """The first part in which two values differ, shortly."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        name = next(name for name in [*theirs, *mine] if theirs.get(name) != mine.get(name))
        return f"{name}={mine.get(name)}", f"{name}={theirs.get(name)}"
    return str(mine), str(theirs)
