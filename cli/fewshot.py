"""`dfx fewshot`: what a run's embeddings make of new methods with a few clips of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.console import JsonOption, console, show_table, write_json
from cli.evaluate import names_of
from cli.predicting import (
    BackendOption,
    BatchOption,
    DeviceOption,
    FigureOption,
    RunArgument,
    SplitOption,
    ThreadsOption,
    following,
    span,
)
from cli.settings import any_of
from dataengine.errors import DfxError
from trainers.taxonomy import TASKS


def fewshot(
    run: RunArgument,
    store: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="STORE",
            help="The store whose classes are learnt, or a selection of it (STORE@method=real,NeuralTextures).",
        ),
    ],
    shots: Annotated[
        str, typer.Option(help="How many clips of each class, separated by commas.", metavar="K,...")
    ] = "1,5,10",
    seeds: Annotated[int, typer.Option(help="How often the clips are drawn.")] = 5,
    task: Annotated[
        str | None,
        typer.Option(help=f"{any_of(TASKS)}: its methods, or real and fake.", show_default="the run's"),
    ] = None,
    split: SplitOption = "test",
    device: DeviceOption = "auto",
    backend: BackendOption = "auto",
    batch: BatchOption = 64,
    threads: ThreadsOption = None,
    figure: FigureOption = None,
    json_file: JsonOption = None,
) -> None:
    """Learn a store's classes from a few of its train clips, on the run's frozen embeddings, and score them by clip.

    Three classifiers: a linear probe, the nearest prototype, the nearest neighbours. Each cell is the mean over the
    draws and their standard deviation; below it the 95 % bootstrap interval over identity groups of one draw.
    """
    from trainers.evaluation.predicted import Computing
    from trainers.fewshot.measure import fewshot as measure
    from trainers.run import open_run

    numbers = _numbers(shots)
    computing = Computing(device=device, backend=backend, batch=batch, threads=threads)
    opened = open_run(run)
    with following() as on_progress:
        result = measure(
            opened,
            store,
            shots=numbers,
            seeds=seeds,
            task=task,
            split=split,
            computing=computing,
            on_progress=on_progress,
        )
    _show(result)
    if figure is not None:
        from trainers.fewshot.figure import draw_fewshot

        draw_fewshot(result, figure, names=names_of())
        console.print(f"figure: {figure}", soft_wrap=True)
    write_json(json_file, result)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise DfxError(f"--shots is '{text}'; give whole numbers separated by commas, such as 1,5,10") from None


def _show(result: Mapping[str, Any]) -> None:
    from trainers.evaluation.bootstrap import MIN_GROUPS
    from trainers.fewshot.figure import NAMES as PROBES

    metrics, names = list(result["results"][0]["metrics"]), names_of()
    rows = [
        (
            PROBES[found["probe"]] if found["shots"] == result["shots"][0] else "",
            str(found["shots"]),
            *(_cell(found["metrics"][metric]) for metric in metrics),
        )
        for found in result["results"]
    ]
    where = f"{result['store']}{result['selection']}"
    title = (
        f"\n{result['run']}: {result['task']} on {where} from few clips, {result['clips']:,} {result['split']} clips"
    )
    show_table(title, ("", "clips a class", *(names.get(metric, metric) for metric in metrics)), rows)
    console.print(f"classes: {', '.join(result['classes'])}", soft_wrap=True)
    for name, count in result["few"].items():
        console.print(f"{name}: {count} clips in train, all of them used where more are asked for", soft_wrap=True)
    if result["unseen"]:
        methods = ", ".join(result["unseen"])
        console.print(f"left out: {methods}, of which train holds no clip", soft_wrap=True)
    if result["unreadable"]:
        console.print(f"{len(result['unreadable'])} samples could not be read and are left out")
    if result["groups"] < MIN_GROUPS:
        console.print(f"no intervals: {result['groups']} identity groups, fewer than {MIN_GROUPS}")


def _cell(found: Mapping[str, Any]) -> str:
    if found["mean"] is None:
        return "undefined"
    lines = [f"{found['mean']:.3f}" + ("" if found["std"] is None else f" ± {found['std']:.3f}")]
    if found["interval"] is not None:
        lines.append(span(found["interval"]))
    return "\n".join(lines)
