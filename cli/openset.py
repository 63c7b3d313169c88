"""`dfx openset`: whether a run notices methods that it was never shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from cli.console import JsonOption, console, show_table, write_json
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
    span,
)

COLUMNS = {
    "auroc": "AUROC",
    "oscr": "OSCR",
    "tnr_at_95_tpr": "TNR at 95 % TPR",
    "detection_accuracy": "detection accuracy",
}


def openset(
    run: RunArgument,
    on: OnOption,
    score: Annotated[
        str, typer.Option(help="Which score the threshold is for: max_softmax, energy or prototype_distance.")
    ] = "max_softmax",
    split: SplitOption = "test",
    device: DeviceOption = "auto",
    backend: BackendOption = "auto",
    batch: BatchOption = 64,
    threads: ThreadsOption = None,
    figure: FigureOption = None,
    json_file: JsonOption = None,
) -> None:
    """Tell methods that the run has no class for from those it has, by three scores, on each store.

    Known is the positive class: TNR is the share of unknown refused where 95 % of the known are accepted. OSCR is at
    most the closed-set accuracy. Intervals are 95 % bootstrap over identity groups. The threshold above which a clip is
    answered "unknown" accepts 95 % of the source's validation clips, sees no target, and is written to
    RUN/openset.json.
    """
    from trainers.evaluation.predicted import Computing
    from trainers.openset.assess import THRESHOLD_FILE
    from trainers.openset.assess import openset as assess

    computing = Computing(device=device, backend=backend, batch=batch, threads=threads)
    with following() as on_progress:
        found = assess(run, on, split=split, score=score, computing=computing, on_progress=on_progress)
    results = [result for result, _ in found]
    for level in ("clip", "frame"):
        _show(results, level)
    for result in results:
        for line in _remarks(result):
            console.print(line, soft_wrap=True)
    threshold = results[0]["threshold"]
    console.print(
        f'threshold: a clip is "unknown" where {threshold["score"]} is above {threshold["threshold"]:.4g}, which '
        f"accepts 95 % of the source's {threshold['num_clips']:,} known validation clips: {run / THRESHOLD_FILE}",
        soft_wrap=True,
    )
    if figure is not None:
        from trainers.openset.figure import draw_openset

        draw_openset(found, figure)
        console.print(f"figure: {figure}", soft_wrap=True)
    write_json(json_file, results)


def _show(results: Sequence[Mapping[str, Any]], level: str) -> None:
    rows = [
        (f"{result['store']}{result['selection']}" if first else "", name, *(cell(figures[key]) for key in COLUMNS))
        for result in results
        for first, (name, figures) in zip((True, False, False), result[level].items(), strict=False)
    ]
    show_table(f"\n{results[0]['run']}: unknown methods, by {level}", ("", "score", *COLUMNS.values()), rows)


def _remarks(result: Mapping[str, Any]) -> list[str]:
    from trainers.evaluation.bootstrap import MIN_GROUPS

    name, known, unknown = f"{result['store']}{result['selection']}", result["known"], result["unknown"]
    of = _methods(known, "known")
    if unknown["clips"]:
        listed = ", ".join(f"{method} {clips:,}" for method, clips in unknown["methods"].items())
        remarks = [f"{name}: {_methods(unknown, 'unknown')} ({listed}), {of}"]
    else:
        remarks = [f"{name}: undefined, for it brings no method that is unknown; {of}"]
    if not known["clips"]:
        remarks.append(f"{name}: undefined, for it brings no method that the run has a class for")
    if result["groups"] < MIN_GROUPS:
        remarks.append(f"{name}: no intervals: {result['groups']} identity groups, fewer than {MIN_GROUPS}")
    if at := result["at_threshold"]:
        shares = {"known accepted": at["known_accepted"], "unknown refused": at["unknown_refused"]}
        said = [f"{what} {_share(share)}" for what, share in shares.items() if share is not None]
        remarks.append(f"{name}: at the threshold {', '.join(said)}")
    return remarks


def _methods(counts: Mapping[str, Any], which: str) -> str:
    num = len(counts["methods"])
    return f"{counts['clips']:,} clips of {num} {which} method{'' if num == 1 else 's'}"


def _share(share: Mapping[str, Any]) -> str:
    ends = f" ({span(share['interval'], percent=True)})" if share["interval"] else ""
    return f"{100 * share['value']:.1f} %{ends}"
