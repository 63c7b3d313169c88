"""`dfx degradation`: what runs lose on datasets that they have not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import JsonOption, console, show_table, write_json
from cli.evaluate import names_of
from cli.predicting import (
    BackendOption,
    BatchOption,
    DeviceOption,
    FigureOption,
    SplitOption,
    ThreadsOption,
    cell,
    following,
)

DERIVED = {
    "unseen_average": "average of the unseen",
    "degradation": "degradation",
    "specialised_average": "average of the specialised",
    "specialised_degradation": "degradation on them",
    "difference": "difference",
}


def degradation(
    runs: Annotated[list[Path], typer.Argument(help="Finished run folders.", metavar="RUN...")],
    original: Annotated[
        str, typer.Option(help="The store that the runs were trained on, or a selection of it.", metavar="STORE")
    ],
    on: Annotated[list[str], typer.Option(help="A store they have not seen; repeatable.", metavar="STORE")],
    specialised: Annotated[
        list[str] | None,
        typer.Option(
            help="An unseen store with one thing as in training, such as the method or the people; repeatable.",
            metavar="STORE",
        ),
    ] = None,
    metric: Annotated[str, typer.Option(help="What is lost.")] = "detection_accuracy",
    level: Annotated[str, typer.Option(help="clip, or frame as in the study.")] = "clip",
    threshold: Annotated[
        float | None,
        typer.Option(
            help="The p(fake) from which a row is called fake, such as the study's 0.5; by default that of each "
            "source's equal error rate on its validation split.",
            min=0,
            max=1,
            show_default=False,
        ),
    ] = None,
    split: SplitOption = "test",
    device: DeviceOption = "auto",
    backend: BackendOption = "auto",
    batch: BatchOption = 64,
    threads: ThreadsOption = None,
    figure: FigureOption = None,
    json_file: JsonOption = None,
) -> None:
    """Compare runs by what they lose from the original dataset to the average of unseen ones, in percentage points.

    After Li, Sun and Poskitt, "How Generalizable are Deepfake Detectors? An Empirical Study" (arXiv:2308.04177).
    Difference: what the specialised stores gain over the unseen ones. Intervals are 95 % bootstrap over identity
    groups, which stores that share groups draw together.
    """
    from trainers.degradation.runs import degradations
    from trainers.evaluation.predicted import Computing

    with following() as on_progress:
        results = degradations(
            runs,
            original=original,
            unseen=on,
            specialised=specialised or (),
            metric=metric,
            level=level,
            threshold=threshold,
            split=split,
            computing=Computing(device=device, backend=backend, batch=batch, threads=threads),
            on_progress=on_progress,
        )
    name = names_of().get(metric, metric)
    _show(results, name)
    if figure is not None:
        from trainers.degradation.figure import draw_degradations

        draw_degradations(results, figure, metric_name=name)
        console.print(f"figure: {figure}", soft_wrap=True)
    write_json(json_file, results)


def _show(results: Sequence[Mapping[str, Any]], name: str) -> None:
    from trainers.evaluation.bootstrap import MIN_GROUPS

    sets = results[0]["sets"]
    columns = ["", *(f"{one['name']} ({one['role']})" for one in sets)]
    rows = [(result["run"], *(cell(one, percent=True) for one in result["sets"])) for result in results]
    show_table(f"\n{name}, by {results[0]['level']}, in %", columns, rows)
    derived = {key: title for key, title in DERIVED.items() if key in results[0]}
    rows = [(result["run"], *(cell(result[key], percent=True) for key in derived)) for result in results]
    show_table("\nlost, in percentage points; averages in %", ["", *derived.values()], rows)
    for one in sets:
        if one["groups"] < MIN_GROUPS:
            console.print(
                f"no interval where {one['name']} enters: {one['groups']} identity groups, fewer than {MIN_GROUPS}",
                soft_wrap=True,
            )
        if one["value"] is None:
            console.print(f"undefined where {one['name']} enters: it holds too few labels or methods, or there is no "
                          "threshold", soft_wrap=True)  # fmt: skip
