"""`dfx transfer`: a finished run learns from new data beside its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import JsonOption, console, write_json
from cli.predicting import RunArgument
from cli.settings import DATA, RUN, any_of, with_settings
from cli.train import Machine, payload, run_training, show_result
from trainers.config import TrainConfig
from trainers.transfer.settings import SAMPLES, SETTINGS, STRATEGIES, default_folder, transfer_config

OWN = (
    *("policy", "augment", "loss", "epochs", "batch", "optimizer", "lr", "layer_decay", "weight_decay", "schedule"),
    *("warmup", "grad_clip", "ema", "patience", "seed", "amp", "device", "backend", "threads"),
)


@with_settings(*OWN, unset="the recipe's")
def transfer(
    run: RunArgument,
    strategy: Annotated[
        str, typer.Option(help=f"{any_of(STRATEGIES)}: train the last layers alone, or all.", rich_help_panel=RUN)
    ],
    new: Annotated[
        list[str],
        typer.Option(
            "--with",
            metavar="STORE",
            help="Store of new data, such as shards/ff++@method=real,FaceSwap,NeuralTextures. Repeat it for more.",
            rich_help_panel=DATA,
        ),
    ],
    samples: Annotated[
        int,
        typer.Option(
            help="Frames of the original and of the new data each, half real, half fake.", rich_help_panel=DATA
        ),
    ] = SAMPLES,
    original: Annotated[
        list[str] | None,
        typer.Option(
            "--original",
            metavar="STORE",
            help="Store of original data; repeatable.",
            show_default="what the run was trained on",
            rich_help_panel=DATA,
        ),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            help=f"{any_of(SETTINGS)}: the study's settings without its two mistakes, or as its code has them "
            "(docs/transfer.md).",
            rich_help_panel=RUN,
        ),
    ] = "corrected",
    name: Annotated[
        str | None,
        typer.Option(help="The run goes to runs/NAME.", show_default="RUN-STRATEGY", rich_help_panel=RUN),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder, instead of runs/NAME.", rich_help_panel=RUN)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped.", rich_help_panel=RUN)
    ] = False,
    json_file: JsonOption = None,
    *,
    given: dict[str, Any],
) -> None:
    """Train a finished run on with new data: batches of its original data and of the new ones alternate.

    It starts from the run's best weights, and leaves another run folder like any other; the epoch that does best on the
    validation splits of both is kept.
    """
    from trainers.run import open_run

    opened = open_run(run)
    config = transfer_config(
        opened, strategy, new, settings=recipe, samples=samples, original=original or (), given=given
    )
    folder = out or (Path("runs") / name if name else default_folder(opened, strategy, recipe, config.seed))
    console.print(_said(config, recipe), soft_wrap=True)
    machine = Machine(gpus=None, workers=None, address=None, trackers=())
    result = run_training(config, folder, machine, resume=resume)
    show_result(config, result)
    write_json(json_file, payload(result))


def _said(config: TrainConfig, recipe: str) -> str:
    learns = {
        "none": "every layer learns",
        "transfer": "the last layers learn, batch norms before them stay as they are",
        "transfer-moving": "the last layers learn, batch norms before them go on counting statistics",
    }[config.frozen]
    return (
        f"{config.model}, {recipe} settings: loss {config.loss}, {config.optimizer}, learning rate {config.lr:g}; "
        f"{learns}; {config.samples:,} frames each of {' + '.join(config.data)} and of {' + '.join(config.mix)}"
    )
