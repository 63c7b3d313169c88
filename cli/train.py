"""`dfx train`: one model on one or more stores."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.console import JsonOption, console, progress, write_json
from dataengine.errors import DfxError, StoreError
from trainers.config import AMP, BACKENDS, CLASS_WEIGHTS, LOSSES, TrainConfig
from trainers.taxonomy import TASKS

if TYPE_CHECKING:
    from trainers.fit import EpochRecord, FitResult
    from trainers.training import StepRecord

_DEFAULTS = {field.name: field.default for field in fields(TrainConfig)}
_UNSET = {"size": "the model's own", "frames_per_clip": "all", "patience": "never", "threads": "all cores"}


def _setting(name: str, panel: str, text: str) -> Any:
    """The option of a setting. Its value is None where it was not given, so that --resume can tell."""
    flag, default = f"--{name.replace('_', '-')}", _DEFAULTS[name]
    shown = _UNSET.get(name, str(default))
    return typer.Option(flag, help=text, show_default=shown, rich_help_panel=panel)


def _any_of(known: tuple[str, ...]) -> str:
    return " | ".join(known)


_RUN, _DATA, _MODEL, _LOSS, _STEPS, _WHERE = "Run", "Data", "Model", "Loss", "Optimisation", "Machine"


def train(
    task: Annotated[str, typer.Argument(help=f"{_any_of(TASKS)}: real or which method, or real or fake.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="STORE",
            help="Store to learn from (its train split; its val split selects the epoch), such as shards/ff++ or "
            "shards/ff++@method=real,Deepfakes. Repeat it for more stores.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="The run goes to runs/NAME.", show_default="made of the settings", rich_help_panel=_RUN),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder, instead of runs/NAME.", rich_help_panel=_RUN)
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with a run that was stopped, from its last whole epoch. Settings that are not given are the "
            "run's own; only --device, --backend and --threads may be others.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    frames_per_clip: Annotated[
        int | None,
        _setting("frames_per_clip", _DATA, "Frames of each clip an epoch, other ones each epoch. Fewer are quicker."),
    ] = None,
    policy: Annotated[
        str | None,
        _setting(
            "policy",
            _DATA,
            "balanced: every class equally often | shuffled: each image once an epoch | blocked:window=8: the same, "
            "from so many shards at a time | groups:classes=4,per_class=8 | mixed:ff++=2,celeb-df=1/balanced.",
        ),
    ] = None,
    augment: Annotated[
        str | None,
        _setting(
            "augment",
            _DATA,
            "none | flip | crop | forensic | supcon | a TOML file; see it with dfx preview. Contrastive losses draw "
            "it twice for each image.",
        ),
    ] = None,
    model: Annotated[str | None, _setting("model", _MODEL, "Any timm backbone, by name.")] = None,
    weights: Annotated[
        str | None,
        _setting("weights", _MODEL, "imagenet (timm fetches them on first use) | none | a run or a file of weights."),
    ] = None,
    size: Annotated[int | None, _setting("size", _MODEL, "Side of the input in pixels.")] = None,
    loss: Annotated[
        str | None,
        _setting("loss", _LOSS, f"{_any_of(LOSSES)}: cross-entropy, alone or with supervised contrast."),
    ] = None,
    supcon_weight: Annotated[float | None, _setting("supcon_weight", _LOSS, "Of the contrastive term.")] = None,
    temperature: Annotated[float | None, _setting("temperature", _LOSS, "Of the contrastive term.")] = None,
    class_weights: Annotated[
        str | None,
        _setting("class_weights", _LOSS, f"{_any_of(CLASS_WEIGHTS)}: of cross-entropy; goes with --policy shuffled."),
    ] = None,
    epochs: Annotated[int | None, _setting("epochs", _STEPS, "How often to run through the data.")] = None,
    batch: Annotated[int | None, _setting("batch", _STEPS, "Images a step.")] = None,
    lr: Annotated[
        float | None, _setting("lr", _STEPS, "Highest learning rate; large transformers want less, 1e-4.")
    ] = None,
    weight_decay: Annotated[float | None, _setting("weight_decay", _STEPS, "Of weight matrices only.")] = None,
    warmup: Annotated[
        float | None, _setting("warmup", _STEPS, "Share of the steps in which the learning rate rises.")
    ] = None,
    grad_clip: Annotated[float | None, _setting("grad_clip", _STEPS, "Largest norm of the gradient; 0: off.")] = None,
    patience: Annotated[
        int | None, _setting("patience", _STEPS, "Stop after so many epochs without improvement.")
    ] = None,
    seed: Annotated[int | None, _setting("seed", _STEPS, "Of everything that is drawn.")] = None,
    amp: Annotated[
        str | None, _setting("amp", _WHERE, f"{_any_of(AMP)}: mixed precision; auto is bf16 on a GPU, else off.")
    ] = None,
    device: Annotated[str | None, _setting("device", _WHERE, "auto | cpu | cuda | cuda:N.")] = None,
    backend: Annotated[str | None, _setting("backend", _WHERE, f"{_any_of(BACKENDS)}: what decodes images.")] = None,
    threads: Annotated[int | None, _setting("threads", _WHERE, "CPU threads.")] = None,
    json_file: JsonOption = None,
) -> None:
    """Train a model on the train split of one or more stores.

    The epoch that does best on the stores' own validation split (balanced accuracy by clip) is kept; no other dataset
    is looked at. The run folder holds all settings, metrics, weights and predictions; see it with `dfx eval`.
    """
    settings = {
        "task": task,
        "data": data or None,
        "model": model,
        "weights": weights,
        "loss": loss,
        "supcon_weight": supcon_weight,
        "temperature": temperature,
        "class_weights": class_weights,
        "policy": policy,
        "frames_per_clip": frames_per_clip,
        "augment": augment,
        "size": size,
        "epochs": epochs,
        "batch": batch,
        "lr": lr,
        "weight_decay": weight_decay,
        "warmup": warmup,
        "grad_clip": grad_clip,
        "patience": patience,
        "amp": amp,
        "seed": seed,
        "device": device,
        "backend": backend,
        "threads": threads,
    }
    given = {setting: value for setting, value in settings.items() if value is not None}
    config, run = _settings_of(given, out or (Path("runs") / name if name else None), resume=resume)
    result = _train(config, run, resume=resume)
    _show(config, result)
    write_json(json_file, _payload(result))


def _settings_of(given: dict[str, Any], run: Path | None, *, resume: bool) -> tuple[TrainConfig, Path]:
    """The settings and the run's folder; on resuming, what was not given is as the run has it."""
    from trainers.run import default_name, read_config

    saved = read_config(run) if resume and run else None
    if saved is not None:
        given = {**saved["train"], **given}
    elif "data" not in given:
        if run is None:
            raise DfxError("no store was given; name one with --data, or the run to go on with: --resume --name NAME")
        raise DfxError(f"no store was given, and {run} holds no run to resume; name a store with --data")
    config = TrainConfig.of(given)
    run = run or Path("runs") / default_name(config)
    if resume and saved is None and (saved := read_config(run)) is not None:
        config = TrainConfig.of({**saved["train"], **given})
    return config, run


def _train(config: TrainConfig, run: Path, *, resume: bool) -> FitResult:
    with progress("training") as advance:
        advance(0, note="preparing")
        from trainers.fit import fit

        done = 0

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
            auc = "undefined" if record.val_auc is None else f"{record.val_auc:.3f}"
            console.print(
                f"epoch {record.epoch + 1:>3}/{config.epochs}  loss {record.train_loss:.3f}  validation: loss "
                f"{record.val_loss:.3f}, balanced accuracy {record.val_balanced_accuracy:.3f}, AUC {auc}  "
                f"{record.images_per_s:,.0f} images/s, input wait {record.input_wait:.0%}{'  best' * record.best}",
                soft_wrap=True,
            )

        try:
            return fit(config, run, resume=resume, on_epoch=on_epoch, on_step=on_step)
        except KeyboardInterrupt:
            console.print(f"go on with: dfx train {config.task} --out {shlex.quote(str(run))} --resume", soft_wrap=True)
            raise


def _show(config: TrainConfig, result: FitResult) -> None:
    best = result.best
    console.print(
        f"best epoch {best.epoch + 1} of {len(result.epochs)}: balanced accuracy {best.val_balanced_accuracy:.3f} by "
        "clip on the validation split of its own data",
        soft_wrap=True,
    )
    if result.num_unreadable:
        console.print(f"{result.num_unreadable} samples could not be read; {result.run / 'result.json'} names them")
    console.print(f"run: {result.run}")
    targets = " ".join(f"--on {shlex.quote(store)}" for store in _targets(config))
    console.print(f"next: dfx eval {shlex.quote(str(result.run))} {targets}", soft_wrap=True)


def _targets(config: TrainConfig) -> list[str]:
    """The stores trained on, and those that lie beside them: what the run is worth being evaluated on."""
    from dataengine.store import DATASET_FILE, open_store, parse_ref

    sources = [parse_ref(text).path for text in config.data]
    beside = sorted(str(file.parent) for path in sources for file in Path(path).parent.glob(f"*/{DATASET_FILE}"))
    found: dict[str, str] = {}
    for path in (*sources, *beside):
        with suppress(StoreError):
            found.setdefault(str(open_store(path).root.resolve()), path)
    return list(found.values())


def _payload(result: FitResult) -> dict[str, Any]:
    return {
        "run": str(result.run),
        "metric": result.metric,
        "value": result.best.val_balanced_accuracy,
        "best_epoch": result.best.epoch,
        "unreadable": result.num_unreadable,
        "seconds": sum(record.seconds for record in result.epochs),
        "epochs": [record.as_dict() for record in result.epochs],
    }
