"""The settings of a training as options: named and explained once, for every command that has them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, get_type_hints

import typer

from trainers.config import AMP, BACKENDS, FROZEN, OPTIMIZERS, SCHEDULES, TrainConfig
from trainers.losses.spec import CLASS_WEIGHTS, CLASSIFICATION, TERMS

RUN, DATA, MODEL, LOSS, STEPS, WHERE = "Run", "Data", "Model", "Loss", "Optimisation", "Machine"


def any_of(known: Sequence[str]) -> str:
    """The values that an option takes, for its help."""
    return " | ".join(known)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting's option."""

    panel: str
    text: str
    unset: str | None = None
    """What stands for a default of None."""


SETTINGS: dict[str, Setting] = {
    "policy": Setting(
        DATA,
        "auto: what the loss needs, else balanced | balanced: every class equally often | shuffled: each image once an "
        "epoch | blocked:window=8: the same, from so many shards at a time | groups:classes=4,per_class=8 | "
        "mixed:ff++=2,celeb-df=1/balanced.",
    ),
    "frames_per_clip": Setting(
        DATA, "Frames of each clip an epoch, other ones each epoch. Fewer are quicker.", unset="all"
    ),
    "force": Setting(DATA, "Pre-train on images that are compressed already."),
    "augment": Setting(
        DATA,
        "none | flip | crop | forensic | supcon | a TOML file; see it with dfx preview. Losses that compare views draw "
        "it twice for each image.",
    ),
    "model": Setting(MODEL, "A network by name: any timm backbone, or one of dfx's own (docs/models.md)."),
    "weights": Setting(
        MODEL,
        "imagenet (timm fetches them on first use) | none | a run or a file of weights | backbone:RUN, all but the "
        "classifier of a run of other classes.",
    ),
    "size": Setting(MODEL, "Side of the input in pixels.", unset="the model's own"),
    "frozen": Setting(
        MODEL,
        f"{any_of(FROZEN)}: what does not learn. backbone: a linear probe. transfer: all but the last layers "
        "(docs/transfer.md).",
    ),
    "loss": Setting(
        LOSS,
        f"{any_of(CLASSIFICATION)}, a term on the embedding, or both, as ce+supcon. Terms: {', '.join(TERMS)} "
        "(docs/losses.md).",
    ),
    "loss_weight": Setting(LOSS, "Of the term on the embedding.", unset="the term's own"),
    "temperature": Setting(LOSS, "Of the term, where it has one.", unset="the term's own"),
    "margin": Setting(LOSS, "Of the term, where it has one.", unset="the term's own"),
    "scale": Setting(LOSS, "Of the term, where it has one.", unset="the term's own"),
    "smoothing": Setting(LOSS, "Of the labels in cross-entropy."),
    "focal_gamma": Setting(LOSS, "Of the focal loss."),
    "class_weights": Setting(LOSS, f"{any_of(CLASS_WEIGHTS)}: goes with --policy shuffled."),
    "learnt_weights": Setting(LOSS, "Learn how the two terms are weighed, as DNA-Det does."),
    "patches": Setting(
        LOSS, "Train on so many random squares of each image instead of the image.", unset="whole images"
    ),
    "patch_px": Setting(LOSS, "Side of a square."),
    "epochs": Setting(STEPS, "How often to run through the data."),
    "batch": Setting(STEPS, "Images a step, of all processes together."),
    "accumulate": Setting(STEPS, "Steps whose gradients are averaged before the weights move."),
    "optimizer": Setting(STEPS, f"{any_of(OPTIMIZERS)}."),
    "lr": Setting(STEPS, "Highest learning rate; large transformers want less, 1e-4."),
    "layer_decay": Setting(STEPS, "Learning rate of each layer as a share of the next one's; transformers like 0.75."),
    "weight_decay": Setting(STEPS, "Of weight matrices only."),
    "schedule": Setting(STEPS, f"{any_of(SCHEDULES)}: of the learning rate, after the warm-up."),
    "step_size": Setting(STEPS, "Steps after which the schedule `step` lowers the rate."),
    "step_gamma": Setting(STEPS, "To which share it lowers it."),
    "warmup": Setting(STEPS, "Share of the steps in which the learning rate rises."),
    "grad_clip": Setting(STEPS, "Largest norm of the gradient; 0: off."),
    "ema": Setting(STEPS, "Validate and keep a running mean of the weights of this decay, such as 0.999; 0: off."),
    "patience": Setting(STEPS, "Stop after so many epochs without improvement.", unset="never"),
    "seed": Setting(STEPS, "Of everything that is drawn."),
    "amp": Setting(WHERE, f"{any_of(AMP)}: mixed precision; auto is bf16 on a GPU, else off."),
    "channels_last": Setting(WHERE, "Memory format of images and kernels."),
    "compile": Setting(WHERE, "torch.compile the network: slow to start, then faster on a GPU."),
    "device": Setting(WHERE, "auto | cpu | cuda | cuda:N."),
    "backend": Setting(WHERE, f"{any_of(BACKENDS)}: what decodes images."),
    "threads": Setting(WHERE, "CPU threads.", unset="all cores"),
}


def with_settings(
    *names: str, panels: bool = True, unset: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of these settings (all, if none is named): it gets those that were given as `given`.

    A setting that was not given is not in it, so that the command can tell. `unset` is shown for every default.
    """
    chosen = names or tuple(SETTINGS)

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command)
        hints = get_type_hints(command, include_extras=True)
        options = [_option(name, panels=panels, unset=unset) for name in chosen]

        def called(**values: Any) -> None:
            given = {name: value for name in chosen if (value := values.pop(name)) is not None}
            command(**values, given=given)

        parameters = [
            p.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
            for name, p in own.parameters.items()
            if name != "given"
        ]
        called.__signature__ = inspect.Signature([*parameters, *options])  # type: ignore[attr-defined]
        called.__annotations__ = {p.name: p.annotation for p in (*parameters, *options)}
        called.__doc__, called.__name__ = command.__doc__, command.__name__
        return called

    return decorate


_FIELDS = {field.name: field for field in fields(TrainConfig)}
_TYPES = get_type_hints(TrainConfig)


def _option(name: str, *, panels: bool, unset: str | None) -> inspect.Parameter:
    setting, flag = SETTINGS[name], f"--{name.replace('_', '-')}"
    shown = unset or setting.unset or str(_FIELDS[name].default)
    declared = [f"{flag}/--no-{flag[2:]}"] if _TYPES[name] is bool else [flag]
    panel = setting.panel if panels else None
    option = typer.Option(*declared, help=setting.text, show_default=shown, rich_help_panel=panel)
    kind = _TYPES[name] if type(None) in getattr(_TYPES[name], "__args__", ()) else _TYPES[name] | None
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind, option],
    )
