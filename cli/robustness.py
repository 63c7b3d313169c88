"""`dfx robustness`: a run's figures under fixed degradations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from cli.console import JsonOption, console, show_table, write_json
from cli.evaluate import names_of
from cli.predicting import (
    BackendOption,
    BatchOption,
    DeviceOption,
    FigureOption,
    OnOption,
    RunArgument,
    SplitOption,
    ThreadsOption,
    cell,
    following,
)


def robustness(
    run: RunArgument,
    on: OnOption,
    kinds: Annotated[
        str, typer.Option(help="Which degradations, separated by commas.", metavar="KIND,...")
    ] = "jpeg,blur,noise,scale",
    metric: Annotated[
        str,
        typer.Option(
            help="What is shown and drawn; the JSON holds every metric. The default needs no threshold, and is "
            "defined for methods unseen in training too."
        ),
    ] = "detection_auc",
    split: SplitOption = "test",
    device: DeviceOption = "auto",
    backend: BackendOption = "auto",
    batch: BatchOption = 64,
    threads: ThreadsOption = None,
    figure: FigureOption = None,
    json_file: JsonOption = None,
) -> None:
    """Score a run, by clip, on samples degraded by JPEG, blur, noise and scaling at five levels each.

    The degradations are fixed by a sample's key: every run sees the same pixels. Intervals are 95 % bootstrap over
    identity groups. Predictions stay in the run folder and are used again: a run that is broken off goes on.
    """
    from dataengine.errors import unknown_name
    from trainers.evaluation.predicted import Computing
    from trainers.metrics import metrics_of
    from trainers.robustness.curves import robustness as measure
    from trainers.run import open_run

    known = metrics_of(open_run(run).taxonomy.task)
    if metric not in known:
        raise unknown_name("metric", metric, known)
    computing = Computing(device=device, backend=backend, batch=batch, threads=threads)
    chosen = [kind.strip() for kind in kinds.split(",")]
    with following() as on_progress:
        results = measure(run, on, kinds=chosen, split=split, computing=computing, on_progress=on_progress)
    name = names_of().get(metric, metric)
    for result in results:
        _show(result, metric, name)
    if figure is not None:
        from trainers.robustness.figure import draw_curves

        draw_curves(results, metric, figure, metric_name=name)
        console.print(f"figure: {figure}", soft_wrap=True)
    write_json(json_file, results)


def _show(result: Mapping[str, Any], metric: str, name: str) -> None:
    from trainers.evaluation.bootstrap import MIN_GROUPS

    curves: Mapping[str, Sequence[Mapping[str, Any]]] = result["curves"][metric]
    columns = ("", "untouched", *(f"level {level}" for level in range(1, 6)), "change at 5")
    rows = []
    for kind, points in curves.items():
        last = {"value": points[-1]["change"], "interval": points[-1]["change_interval"]}
        rows.append((kind, *(cell(point) for point in points), cell(last)))
    where = f"{result['store']}{result['selection']}"
    show_table(f"\n{result['run']} on {where}, {name}, {result['clips']:,} clips", columns, rows)
    if result["groups"] < MIN_GROUPS:
        console.print(f"no intervals: {result['groups']} identity groups, fewer than {MIN_GROUPS}")
