"""`dfx train`: one model on one or more stores."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cli.console import JsonOption, console, progress, write_json
from cli.settings import DATA, RUN, WHERE, any_of, with_settings
from cli.targets import targets
from dataengine.errors import DfxError
from trainers.config import TrainConfig
from trainers.recipes import PRETRAINING, RECIPES, recipe_of
from trainers.taxonomy import TASKS, TRANSFORMATION

if TYPE_CHECKING:
    from trainers.fit import FitResult
    from trainers.progress import EpochRecord, StepRecord

TERMINATED = 128 + signal.SIGTERM
"""The exit code of a training that saved itself on SIGTERM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a training runs, beyond its settings."""

    gpus: int | None
    workers: int | None
    address: str | None
    trackers: tuple[str, ...]

    @property
    def several(self) -> bool:
        """Whether it takes more than this process."""
        return (self.gpus or 0) > 1 or (self.workers or 1) > 1 or self.address is not None


@with_settings()
def train(
    task: Annotated[
        str,
        typer.Argument(
            help=f"{any_of(TASKS)}: real or which method, or real or fake; or a published method with its settings: "
            f"{', '.join(RECIPES)}."
        ),
    ],
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="STORE",
            help="Store to learn from (its train split; its val split selects the epoch), such as shards/ff++ or "
            "shards/ff++@method=real,Deepfakes. Repeat it for more stores.",
            rich_help_panel=DATA,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="The run goes to runs/NAME.", show_default="made of the settings", rich_help_panel=RUN),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder, instead of runs/NAME.", rich_help_panel=RUN)
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with a run that was stopped, from its last saved step. Settings that are not given are the "
            "run's own; only --device, --backend, --threads and --compile may be others, and the number of GPUs.",
            rich_help_panel=RUN,
        ),
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="RUN", help="Start from a run's backbone; its classes may be others.", rich_help_panel=RUN
        ),
    ] = None,
    pretrain: Annotated[
        bool,
        typer.Option("--pretrain", help="dna-det: pre-train on 170 image transformations.", rich_help_panel=RUN),
    ] = False,
    seeds: Annotated[
        int,
        typer.Option(help="Train so many times, with seeds from --seed on, and show the spread.", rich_help_panel=RUN),
    ] = 1,
    track: Annotated[
        list[str] | None,
        typer.Option(help="Also log to mlflow or wandb; TensorBoard's files are always written.", rich_help_panel=RUN),
    ] = None,
    gpus: Annotated[
        int | None,
        typer.Option(
            help="GPUs that train together, a process each; 0: the CPU. [default: one where there is one]",
            rich_help_panel=WHERE,
            min=0,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that train together on the CPU, with --gpus 0.", rich_help_panel=WHERE, min=1),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="A running Ray cluster (HOST:PORT, or auto) instead of this machine. All its machines must see the "
            "stores and the run's folder under the same paths, and have dfx installed.",
            rich_help_panel=WHERE,
        ),
    ] = None,
    json_file: JsonOption = None,
    *,
    given: dict[str, Any],
) -> None:
    """Train a model on the train split of one or more stores.

    The epoch that does best on the stores' own validation split (balanced accuracy by clip) is kept; no other dataset
    is looked at. The run folder holds all settings, metrics, weights and predictions; see it with `dfx eval`.
    """
    if gpus and workers not in (None, gpus):
        raise DfxError(f"--gpus {gpus} trains with as many processes; leave --workers {workers} out, or use --gpus 0")
    if pretrain and not task.startswith("dna-det"):
        raise DfxError(f"--pretrain is of dna-det, not of {task}; leave it out")
    task = PRETRAINING if pretrain else task
    machine = Machine(gpus=gpus, workers=workers, address=address, trackers=tuple(track or ()))
    if machine.several and "device" in given:
        raise DfxError(f"--device {given['device']} names one device; leave it out with --gpus, --workers or --address")
    if gpus is not None and not machine.several:
        given["device"] = given.get("device", "cuda" if gpus else "cpu")
    if data:
        given["data"] = data
    if start is not None:
        given = {**_of_run(start, recipe_of(task)), **given, "weights": f"backbone:{start}"}
    config, run = _settings_of(task, given, out or (Path("runs") / name if name else None), resume=resume)
    if seeds < 1:
        raise DfxError(f"--seeds is {seeds}; give at least 1")
    results = []
    for seed in range(config.seed, config.seed + seeds):
        folder = run if seeds == 1 else run.with_name(f"{run.name.removesuffix(f'-s{config.seed}')}-s{seed}")
        results.append(run_training(replace(config, seed=seed), folder, machine, resume=resume))
        show_result(config, results[-1])
    if seeds > 1:
        _show_spread(results)
    write_json(json_file, payload(results[0]) if seeds == 1 else [payload(result) for result in results])


def _of_run(start: str, recipe: dict[str, Any]) -> dict[str, Any]:
    """The model and the size of the run to start from, where the recipe leaves them open."""
    from trainers.run import read_config

    saved = read_config(Path(start))
    found = {} if saved is None else {"model": saved["model"]["name"], "size": saved["model"]["input_size"]}
    return {name: value for name, value in found.items() if name not in recipe}


def _settings_of(task: str, given: dict[str, Any], run: Path | None, *, resume: bool) -> tuple[TrainConfig, Path]:
    """The settings and the run's folder; on resuming, what was not given is as the run has it."""
    from trainers.run import default_name, read_config

    saved = read_config(run) if resume and run else None
    recipe = recipe_of(task)
    if saved is None and "data" not in given:
        if run is None:
            raise DfxError("no store was given; name one with --data, or the run to go on with: --resume --name NAME")
        raise DfxError(f"no store was given, and {run} holds no run to resume; name a store with --data")
    if saved is None:
        config = TrainConfig.of({**recipe, **given})
        run = run or Path("runs") / default_name(config)
        saved = read_config(run) if resume else None
    if saved is not None:
        config = TrainConfig.of({**saved["train"], "task": recipe["task"], **given})
    assert run is not None
    return config, run


def run_training(config: TrainConfig, run: Path, machine: Machine, *, resume: bool) -> FitResult:
    """Train with a bar, a line an epoch, and how to go on where it is stopped."""
    with progress("training") as advance:
        advance(0, note="preparing")
        from trainers.fit import fit
        from trainers.launch import launch
        from trainers.saving import StoppedEarlyError

        done = 0

        def on_said(line: str) -> None:
            console.print(Text("note", "yellow"), line, soft_wrap=True)

        def on_step(record: StepRecord) -> None:
            nonlocal done
            per_epoch = record.num_steps // config.epochs
            note = (
                f"epoch {record.epoch + 1}/{config.epochs}  loss {record.loss:.3f}  {record.images_per_s:,.0f} images/s"
                f"  wait {record.input_wait:.0%}"
            )
            if record.step % per_epoch == 0:
                note = f"epoch {record.epoch + 1}/{config.epochs}  validating"
            advance(record.step - done, note=note, total=record.num_steps)
            done = record.step

        def on_epoch(record: EpochRecord) -> None:
            auc = "" if record.val_auc is None else f", AUC {record.val_auc:.3f}"
            console.print(
                f"epoch {record.epoch + 1:>3}/{config.epochs}  loss {record.train_loss:.3f}  validation: loss "
                f"{record.val_loss:.3f}, balanced accuracy {record.val_balanced_accuracy:.3f}{auc}  "
                f"{record.images_per_s:,.0f} images/s, input wait {record.input_wait:.0%}{'  best' * record.best}",
                soft_wrap=True,
            )

        follow = {"on_said": on_said, "on_epoch": on_epoch, "on_step": on_step}
        again = f"go on with: dfx train {config.task} --out {shlex.quote(str(run))} --resume"
        try:
            with _terminated() as stop:
                if machine.several:
                    where = {"gpus": _gpus_of(machine), "workers": machine.workers, "address": machine.address}
                    common = {"resume": resume, "trackers": machine.trackers, "stop": stop}
                    return launch(config, run, **where, **common, **follow)  # type: ignore[arg-type]
                return fit(config, run, resume=resume, trackers=machine.trackers, stop=stop, **follow)  # type: ignore[arg-type]
        except StoppedEarlyError as error:
            console.print(f"{str(error).partition(';')[0]}; {again}", soft_wrap=True)
            raise typer.Exit(TERMINATED) from None
        except KeyboardInterrupt:
            console.print(again, soft_wrap=True)
            raise


def _gpus_of(machine: Machine) -> int:
    if machine.gpus is not None:
        return machine.gpus
    if machine.workers is not None:
        return 0
    raise DfxError("--address needs --gpus N: how many of the cluster's GPUs train together, or --gpus 0 --workers N")


@contextmanager
def _terminated() -> Iterator[Any]:
    """Whether SIGTERM has come, as a function: a machine that is taken away says so some seconds before."""
    come = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: come.set())
    try:
        yield come.is_set
    finally:
        signal.signal(signal.SIGTERM, before)


def show_result(config: TrainConfig, result: FitResult) -> None:
    """What a training came to, and what to do next."""
    best, pretrained = result.best, config.task == TRANSFORMATION
    console.print(
        f"best epoch {best.epoch + 1} of {len(result.epochs)}: balanced accuracy {best.val_balanced_accuracy:.3f} "
        f"{'over transformations' if pretrained else 'by clip'} on the validation split of its own data",
        soft_wrap=True,
    )
    if result.num_unreadable:
        console.print(f"{result.num_unreadable} samples could not be read; {result.run / 'result.json'} names them")
    console.print(f"run: {result.run}")
    if pretrained:
        console.print(f"next: dfx train dna-det --from {shlex.quote(str(result.run))} --data STORE", soft_wrap=True)
        return
    on = " ".join(f"--on {shlex.quote(store)}" for store in targets(config)) or "--on STORE"
    console.print(f"next: dfx eval {shlex.quote(str(result.run))} {on}", soft_wrap=True)


def _show_spread(results: list[FitResult]) -> None:
    values = [result.best.val_balanced_accuracy for result in results]
    mean = sum(values) / len(values)
    spread = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
    console.print(
        f"{len(values)} seeds: balanced accuracy {mean:.3f}, standard deviation {spread:.3f}, from {min(values):.3f} "
        f"to {max(values):.3f}, each on the validation split of its own data",
        soft_wrap=True,
    )
    runs = " ".join(shlex.quote(str(result.run)) for result in results)
    console.print(f"their spread elsewhere: dfx eval {runs} --on STORE", soft_wrap=True)


def payload(result: FitResult) -> dict[str, Any]:
    """What a training came to, as JSON values."""
    return {
        "run": str(result.run),
        "metric": result.metric,
        "value": result.best.val_balanced_accuracy,
        "best_epoch": result.best.epoch,
        "unreadable": result.num_unreadable,
        "seconds": sum(record.seconds for record in result.epochs),
        "epochs": [record.as_dict() for record in result.epochs],
    }
