"""`dfx eval`: a finished run on any store, for frames and for clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import JsonOption, console, progress, show_table, write_json

NAMES = {
    "detection_auc": "real or fake: AUC",
    "detection_eer": "real or fake: equal error rate",
    "detection_balanced_accuracy": "real or fake: balanced accuracy",
    "detection_accuracy": "real or fake: accuracy",
    "attribution_balanced_accuracy": "method: balanced accuracy",
    "attribution_accuracy": "method: accuracy",
    "attribution_macro_f1": "method: macro-F1",
}


def evaluate_runs(
    run: Annotated[Path, typer.Argument(help="A finished run folder, such as runs/NAME.")],
    on: Annotated[
        list[str],
        typer.Option(help="A store to evaluate on, or a selection of one (STORE@method=real,Face2Face); repeatable."),
    ],
    split: Annotated[
        str, typer.Option(help="Which split: test, the one that neither training nor model selection has seen.")
    ] = "test",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, or auto: a GPU where there is one.")] = "auto",
    backend: Annotated[str, typer.Option(help="Who decodes: auto (DALI on a GPU, else cpu), cpu, dali.")] = "auto",
    batch: Annotated[int, typer.Option(help="Images at a time; changes the speed, not the result.", min=1)] = 64,
    threads: Annotated[
        int | None, typer.Option(help="Decoding threads; all cores by default.", min=1, show_default=False)
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Score a run on stores: AUC, equal error rate, balanced accuracy, accuracy, macro-F1, and who is taken for whom.

    A clip's probabilities are the mean over its frames. An attribution model is a detector by p(fake) = 1 - p(real);
    balanced accuracy and accuracy of real or fake are at the threshold of the source's equal error rate on its
    validation split. Intervals are 95 % bootstrap over identity groups. Predictions stay in the run folder and are
    used again.
    """
    from trainers.evaluate import evaluate

    with progress("predicting") as advance:
        done = dict.fromkeys(on, 0)

        def on_progress(ref: str, samples: int, total: int) -> None:
            advance(samples - done[ref], note=ref, total=sum(done.values()) - done[ref] + total)
            done[ref] = samples

        results = evaluate(
            run, on, split=split, device=device, backend=backend, batch=batch, threads=threads, on_progress=on_progress
        )
    for result in results:
        _show(result)
    write_json(json_file, results)


def _show(result: Mapping[str, Any]) -> None:
    title = f"\n{result['run']} on {result['store']}{result['selection']}, split {result['split']}"
    columns = ("", "frames", "95 %", "clips", "95 %")
    rows = [("number", str(result["frame"]["num"]), "", str(result["clip"]["num"]), "")]
    for metric, name in NAMES.items():
        if metric in result["frame"]:
            cells = [_cells(result, level, metric) for level in ("frame", "clip")]
            rows.append((name, *cells[0], *cells[1]))
    show_table(title, columns, rows)
    for line in _remarks(result):
        console.print(line)
    matrix = result["confusion"]
    unseen = {item["method"] for item in result["unseen"]}
    show_table(
        "\nclips by true method (line) and by the model's answer (column)",
        ("", *matrix["columns"]),
        [
            (f"{name} (unseen)" if name in unseen else name, *counts)
            for name, counts in zip(matrix["rows"], matrix["counts"], strict=True)
        ],
    )


def _cells(result: Mapping[str, Any], level: str, metric: str) -> tuple[str, str]:
    value, interval = result[level][metric], result["intervals"][level][metric]
    if value is None:
        return "undefined", ""
    return f"{value:.3f}", f"{interval[0]:.3f}-{interval[1]:.3f}" if interval else "none"


def _remarks(result: Mapping[str, Any]) -> list[str]:
    """What a reader must know to read the numbers right."""
    from trainers.bootstrap import MIN_GROUPS

    remarks = []
    if result["unseen"]:
        named = ", ".join(f"{item['method']} ({item['clips']} clips)" for item in result["unseen"])
        remarks.append(f"unseen in training: {named}: scored as fake or real, left out of every number of methods")
    if result["clip"]["detection_auc"] is None:
        remarks.append("AUC and equal error rate are undefined: the selection holds real or fake clips only")
    if result["clip"].get("attribution_num") and result["clip"]["attribution_balanced_accuracy"] is None:
        remarks.append("telling methods apart is undefined: fewer than two classes of the training are there")
    if result["clip"]["detection_threshold"] is None:
        remarks.append("no threshold: the run folder holds no validation predictions with both labels")
    if result["groups"] < MIN_GROUPS:
        remarks.append(f"no intervals: {result['groups']} identity groups, fewer than {MIN_GROUPS}")
    if result["unreadable"]["frames"]:
        lost = result["unreadable"]
        remarks.append(
            f"{lost['frames']} frames could not be read and entered nothing ({lost['clips']} clips lost whole)"
        )
    if result["seen_in_training"] is None:
        remarks.append("an imported run: what it was trained on is unknown, these people may be among it")
    if result["groups_shared_with_training"]:
        remarks.append(
            f"{result['groups_shared_with_training']} identity groups were trained on as well: the numbers flatter"
        )
    return remarks
