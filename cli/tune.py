"""`dfx tune`: search losses, backbones and settings on each source store, and measure every trial on every target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cli.console import JsonOption, console, count_of, counted, progress, show_table, write_json
from cli.termination import terminating
from dataengine.errors import DfxError
from tune_spaces.resources import GPUS_PER_TRIAL

if TYPE_CHECKING:
    from tune_spaces.records import Trial
    from tune_spaces.sweep import SweepResult
    from tune_spaces.work import Work

SHOWN = 10
"""Trials of a source in the table at the end."""

SHOWN_METRICS = {"attribution_balanced_accuracy": "method", "detection_auc": "AUC"}
"""Their columns: balanced accuracy of naming the method, and AUC of real or fake, by clip."""


def tune(
    task: Annotated[str, typer.Argument(help="attribution: real or which method. detection: real or fake.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="A source store, searched by itself; repeatable. [default: those under --stores with a train split]"
        ),
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(
            help="A target store, whose test split every finished trial is measured on; repeatable. "
            "[default: all under --stores, and the sources]"
        ),
    ] = None,
    stores: Annotated[Path, typer.Option(help="Folder of stores.")] = Path("shards"),
    search: Annotated[
        str,
        typer.Option(
            help="optuna: TPE with early stopping over the whole space. grid: every model with every loss, each "
            "trained to the end, all else equal: for a matrix."
        ),
    ] = "optuna",
    samples: Annotated[int, typer.Option(help="Trials of each source (optuna); the first ten are random.")] = 20,
    seeds: Annotated[
        int, typer.Option(help="Trainings of each model's best settings; 3 show the spread between seeds.")
    ] = 1,
    models: Annotated[str, typer.Option(help="Any timm backbones, by comma. [default: the search space's]")] = "",
    losses: Annotated[str, typer.Option(help="ce, ce+supcon, by comma. [default: the search space's]")] = "",
    epochs: Annotated[int, typer.Option(help="Of a trial that is not stopped early.")] = 10,
    batch: Annotated[int, typer.Option(help="Images a step.")] = 64,
    size: Annotated[int | None, typer.Option(help="Input side in px. [default: each backbone's own]")] = None,
    weights: Annotated[str, typer.Option(help="imagenet (fetched on first use) or none.")] = "imagenet",
    lr: Annotated[float | None, typer.Option(help="Learning rate, instead of searching it.")] = None,
    augment: Annotated[str | None, typer.Option(help="Augmentation, instead of searching it.")] = None,
    frames_per_clip: Annotated[
        int | None, typer.Option(help="Frames of a clip an epoch, instead of searching them.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the search and of every trial's training.")] = 0,
    gpus: Annotated[int | None, typer.Option(help="0 trains on the CPU. [default: all there are]")] = None,
    gpus_per_trial: Annotated[
        float, typer.Option(help="0.5 runs two trials on each GPU; a small model leaves most of one idle.")
    ] = GPUS_PER_TRIAL,
    address: Annotated[
        str | None,
        typer.Option(
            help="A running Ray cluster (HOST:PORT, or auto) instead of this machine. All its machines must see "
            "the stores and the sweep's folder under the same paths, and have dfx installed."
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Of the sweep. [default: the task]")] = "",
    out: Annotated[Path | None, typer.Option(help="The sweep's folder. [default: sweeps/NAME]")] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with a sweep that was ended, with the options of its first time; no trial is repeated.",
        ),
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Search on each source store, choosing by its own validation split only, and measure on every target store.

    The search spaces are plain Python to read and edit: tune_spaces/attribution.py, tune_spaces/detection.py.
    """
    from trainers.config import TrainConfig
    from tune_spaces.sweep import Stores, SweepConfig, find_stores, space_of, sweep

    space_of(task)
    found = Stores() if data and on else find_stores(stores)
    sources = tuple(data) if data else found.sources
    if not sources:
        raise DfxError(f"no store in {stores} with the splits train and val; make one with `dfx shard`, or give --data")
    targets = tuple(on) if on else tuple(dict.fromkeys((*found.targets, *(data or ()))))
    given = {"lr": lr, "augment": augment, "frames_per_clip": frames_per_clip}
    fixed = {setting: value for setting, value in given.items() if value is not None}
    train = {"epochs": epochs, "batch": batch, "size": size, "weights": weights, "seed": seed, **fixed}
    config = SweepConfig(
        train=TrainConfig.of({"task": task, "data": sources, **train}),
        targets=targets,
        search=search,  # type: ignore[arg-type]
        samples=samples,
        seeds=seeds,
        models=_listed(models),
        losses=_listed(losses),
        fixed=tuple(fixed),
        gpus=gpus,
        gpus_per_trial=gpus_per_trial,
        address=address,
    )
    for path, reason in found.skipped:
        console.print(Text("note", "yellow"), f"{path} is {reason}", soft_wrap=True)
    console.print(f"sources: {', '.join(sources)}\ntargets: {', '.join(targets)}", soft_wrap=True)
    last = "ended by SIGTERM; what is finished is kept: run it again with --resume"
    with terminating(last), progress("Trials") as advance:
        result = sweep(
            config,
            out or Path("sweeps") / (name or task),
            resume=resume,
            on_trial=follow(advance),
            on_said=lambda line: console.print(Text("note", "yellow"), line, soft_wrap=True),
        )
    _show(result)
    write_json(json_file, summary(result, found.skipped))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def follow(advance: Callable[..., None], *, indent: str = "") -> Callable[[Work], None]:
    """What a sweep calls to move the bar that `advance` belongs to, and to print a line for each trial that ends; where
    the output is no terminal, and no bar is drawn, also for each that starts."""
    on_progress = counted(advance)
    told: dict[str, str] | None = None

    def on_trial(work: Work) -> None:
        nonlocal told
        if told is None:  # what earlier sessions ended is no news
            told = {trial.trial_id: trial.status for trial in work.trials if trial.status != "running"}
        for trial in work.trials:
            if told.get(trial.trial_id) != trial.status:
                told[trial.trial_id] = trial.status
                if trial.status != "running" or not console.is_terminal:
                    console.print(indent + news(trial), soft_wrap=True)
        ended = sum(trial.status != "running" for trial in work.trials)
        on_progress(ended, work.total, note=standing(work))

    return on_trial


def news(trial: Trial) -> str:
    """One line on a trial that has started or ended."""
    if trial.status == "failed":
        return f"{trial.trial_id} failed: {trial.error}"
    if trial.status == "running":
        chosen = (f"{value:.3g}" if isinstance(value, float) else str(value) for value in trial.settings.values())
        said = (f"{name} {value}" for name, value in zip(trial.settings, chosen, strict=True))
        return f"{trial.trial_id} starts: {', '.join(said)}, seed {trial.seed}"
    score = "no score" if trial.score is None else f"{trial.score:.3f} on its own validation split"
    early = f" early, after {count_of(len(trial.scores), 'epoch')}" if trial.status == "stopped" else ""
    return f"{trial.trial_id} {trial.status}{early}: {score}, {trial.seconds:.0f} s"


def standing(work: Work) -> str:
    """One line on a sweep that runs: how many trials run, failed and were stopped, and each source's best."""
    count = Counter(trial.status for trial in work.trials)
    parts = [f"{count[status]} {status}" for status in ("running", "stopped", "failed") if count[status]]
    best: dict[str, float] = {}  # scores of different sources cannot be compared
    for trial in work.trials:
        if trial.score is not None:
            best[trial.source] = max(trial.score, best.get(trial.source, 0.0))
    parts += [f"best on {source} {score:.3f}" for source, score in best.items()]
    return ", ".join(parts)


def summary(result: SweepResult, skipped: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """What `--json` holds."""
    return {
        "sweep": str(result.folder),
        "report": str(result.report) if result.report else None,
        "table": str(result.folder / "trials.parquet"),
        "best": {source: trial.trial_id for source, trial in result.best.items()},
        "trials": [_row(trial) for trial in result.trials],
        "skipped": [{"store": path, "reason": reason} for path, reason in skipped],
    }


def _row(trial: Trial) -> dict[str, Any]:
    return {
        "trial_id": trial.trial_id,
        "source": trial.source,
        "stage": trial.stage,
        "settings": trial.settings,
        "seed": trial.seed,
        "status": trial.status,
        "score": trial.score,
        "epochs": len(trial.scores),
        "seconds": round(trial.seconds, 2),
        "error": trial.error,
        "targets": trial.targets,
    }


def _show(result: SweepResult) -> None:
    stores = list(dict.fromkeys(store for trial in result.trials for store in trial.targets or {}))
    for source in result.best:
        mine = [trial for trial in result.trials if trial.source == source and trial.status == "done"]
        mine = sorted(mine, key=lambda trial: -(trial.score or 0.0))[:SHOWN]
        metrics = [
            name for name in SHOWN_METRICS if any(name in found for t in mine for found in (t.targets or {}).values())
        ]
        heads = (f"{SHOWN_METRICS[name]} {store}" for store in stores for name in metrics)
        rows = [
            (
                t.trial_id,
                *(str(t.settings[name]) for name in ("model", "loss")),
                str(t.seed),
                t.score,
                *(_cell(t, store, name) for store in stores for name in metrics),
            )
            for t in mine
        ]
        columns = ("trial", "model", "loss", "seed", "validation", *heads)
        show_table(f"{source}: best by its own validation (balanced accuracy by clip)", columns, rows)
    count = Counter(trial.status for trial in result.trials)
    console.print(", ".join(f"{number} {status}" for status, number in sorted(count.items())))
    for trial in result.trials:
        if trial.status == "failed":
            console.print(Text("failed", "red"), f"{trial.trial_id}: {trial.error}", soft_wrap=True)
    if count["failed"]:
        console.print("trials that failed are tried again with --resume")
    console.print(f"trials: {result.folder / 'trials.parquet'}", soft_wrap=True)
    if result.report:
        console.print(f"report: {result.report}", soft_wrap=True)


def _cell(trial: Trial, store: str, metric: str) -> float | str:
    value = (trial.targets or {}).get(store, {}).get(metric)
    return "–" if value is None else value
