"""`dfx profile`: whether a training waits for its input, and what to change."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cli.console import JsonOption, console, drawable, progress, show_table, write_json
from trainers.config import AMP, BACKENDS, LOSSES, TrainConfig
from trainers.taxonomy import TASKS

if TYPE_CHECKING:
    from trainers.profile.record import Profile, Timing

_DEFAULTS = {field.name: field.default for field in fields(TrainConfig)}
_UNSET = {"size": "the model's own", "threads": "all cores"}


def _setting(name: str, text: str) -> Any:
    return typer.Option(help=text, show_default=_UNSET.get(name, str(_DEFAULTS[name])))


def _any_of(known: tuple[str, ...]) -> str:
    return " | ".join(known)


def profile(
    data: Annotated[
        list[str],
        typer.Option(
            metavar="STORE",
            help="Store to learn from: a folder, a URL such as s3://bucket/ff++, or a selection of either, such as "
            "shards/ff++@method=real,Deepfakes. Repeat it for more stores.",
        ),
    ],
    model: Annotated[str | None, _setting("model", "Any timm backbone, by name.")] = None,
    task: Annotated[str | None, _setting("task", f"{_any_of(TASKS)}.")] = None,
    loss: Annotated[str | None, _setting("loss", f"{_any_of(LOSSES)}.")] = None,
    policy: Annotated[
        str | None,
        _setting(
            "policy",
            "balanced: every class equally often | shuffled: each image once an epoch | blocked:window=8: the same, "
            "from so many shards at a time | groups:classes=4,per_class=8 | mixed:ff++=2,celeb-df=1/balanced.",
        ),
    ] = None,
    batch: Annotated[int | None, _setting("batch", "Images a step.")] = None,
    augment: Annotated[str | None, _setting("augment", "none | flip | crop | forensic | supcon | a TOML file.")] = None,
    size: Annotated[int | None, _setting("size", "Side of the input in pixels.")] = None,
    amp: Annotated[str | None, _setting("amp", f"{_any_of(AMP)}: mixed precision.")] = None,
    threads: Annotated[int | None, _setting("threads", "CPU threads.")] = None,
    backend: Annotated[str | None, _setting("backend", f"{_any_of(BACKENDS)}: what decodes images.")] = None,
    device: Annotated[str | None, _setting("device", "auto | cpu | cuda | cuda:N.")] = None,
    steps: Annotated[int, typer.Option(help="Batches a round; a round of slow ones ends after 5 seconds.")] = 20,
    rounds: Annotated[
        int, typer.Option(help="Rounds in turn, whose medians are shown; of 4 or more the odd ones out do not count.")
    ] = 3,
    out: Annotated[Path, typer.Option(help="The figure to write; replaced where it exists.", callback=drawable)] = Path(
        "profile.png"
    ),
    json_file: JsonOption = None,
) -> None:
    """Say whether a training waits for its input, and what to change.

    With a training's own settings it times reading, then reading and decoding, then all of that with augmentation, the
    step on batches that lie on the device already, and the step fed by the loader. The verdict is inconclusive where
    something else disturbs the figures. No weights are fetched, nothing is learnt or kept.
    """
    from trainers.profile.figure import draw_profile
    from trainers.profile.measure import profile as measure
    from trainers.profile.verdict import noise_note, storage_note, verdict

    given = {
        "data": data,
        "model": model,
        "task": task,
        "loss": loss,
        "policy": policy,
        "batch": batch,
        "augment": augment,
        "size": size,
        "amp": amp,
        "threads": threads,
        "backend": backend,
        "device": device,
    }
    config = TrainConfig.of({name: value for name, value in given.items() if value is not None})
    with progress("profiling") as advance:
        advance(0, note="warming up")
        found = measure(
            config, steps=steps, rounds=rounds, on_round=lambda name, done, total: advance(note=name, total=total)
        )
    said, note = verdict(found), storage_note(found)
    _show(found)
    console.print(f"storage: {note}", soft_wrap=True)
    if noise := noise_note(found):
        console.print(Text("note", "yellow"), noise, soft_wrap=True)
    draw_profile(found, out)
    console.print(f"figure: {out}", soft_wrap=True)
    console.print(said.sentence, style="bold", soft_wrap=True)
    told = {"bound": said.bound, "lost": said.lost, "verdict": said.sentence, "storage_note": note}
    write_json(json_file, {**told, **found.as_dict()})


def _show(found: Profile) -> None:
    threads = "1 thread" if found.threads == 1 else f"{found.threads} threads"
    title = (
        f"{found.model} on {' + '.join(found.data)}: batches of {found.batch} to {found.size} px, {found.loss}, "
        f"{found.augment}, {threads} of the {found.backend} backend, {found.device_name}"
    )
    added = {stage: "within the noise" if stage in found.drowned else _ms(ms) for stage, ms in found.stages.items()}
    lines: list[tuple[str, Timing, str | float]] = [
        ("read + hash", found.storage, added["storage"]),
        ("+ decode", found.decode, added["decode"]),
        (f"+ augmentation ({found.augment})", found.loader, added["augmentation"]),
        ("step on cached batches", found.cached_step, ""),
        ("step fed by the loader", found.step, ""),
        ("  of it waiting", found.wait, ""),
    ]
    cells = [
        [
            what,
            _ms(timing.ms),
            _ms(timing.low),
            _ms(timing.high),
            more,
            "" if timing is found.wait else round(1000 * found.batch / timing.ms),
        ]
        for what, timing, more in lines
    ]
    show_table(title, ["", "ms a batch", "fastest", "slowest", "added ms", "images/s"], cells)
    console.print(
        "+: on top of the line above; added ms: what it takes by itself; cached: batches that lie on the device "
        "already; of it waiting: for the loader, in a fed step"
    )


def _ms(value: float) -> float | int:
    return round(value) if value >= 10 else value
