"""`dfx profile`: whether a training waits for its input, and what to change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cli.console import JsonOption, console, drawable, progress, show_table, write_json
from cli.settings import any_of, with_settings
from trainers.config import TrainConfig
from trainers.taxonomy import TASKS

if TYPE_CHECKING:
    from trainers.profile.record import Profile, Timing


@with_settings(
    "model", "loss", "policy", "batch", "augment", "size", "amp", "channels_last", "threads", "backend", "device",
    panels=False,
)  # fmt: skip
def profile(
    data: Annotated[
        list[str],
        typer.Option(
            metavar="STORE",
            help="Store to learn from: a folder, a URL such as s3://bucket/ff++, or a selection of either, such as "
            "shards/ff++@method=real,Deepfakes. Repeat it for more stores.",
        ),
    ],
    task: Annotated[str, typer.Option(help=f"{any_of(TASKS)}.")] = "attribution",
    steps: Annotated[int, typer.Option(help="Batches a round; a round of slow ones ends after 5 seconds.")] = 20,
    rounds: Annotated[
        int, typer.Option(help="Rounds in turn, whose medians are shown; of 4 or more the odd ones out do not count.")
    ] = 3,
    out: Annotated[Path, typer.Option(help="The figure to write; replaced where it exists.", callback=drawable)] = Path(
        "profile.png"
    ),
    json_file: JsonOption = None,
    *,
    given: dict[str, Any],
) -> None:
    """Say whether a training waits for its input, and what to change.

    With a training's own settings it times reading, then reading and decoding, then all of that with augmentation, the
    step on batches that lie on the device already, and the step fed by the loader. The verdict is inconclusive where
    something else disturbs the figures. No weights are fetched, nothing is learnt or kept.
    """
    from trainers.profile.figure import draw_profile
    from trainers.profile.measure import profile as measure
    from trainers.profile.verdict import noise_note, storage_note, verdict

    config = TrainConfig.of({"data": data, "task": task, **given})
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
        f"{found.model} on {' + '.join(found.data)}: {found.batch} images a batch at {found.size} px, {found.loss}, "
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
