"""`dfx eval`: a finished run on any store, for frames and for clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import JsonOption, console, progress, show_table, write_json
from dataengine.errors import DfxError

_OF_DETECTION = {
    "auc": "AUC",
    "eer": "equal error rate",
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "accuracy_at_half": "accuracy at 0.5",
    "ap": "average precision",
    "tpr_at_fpr_1e-2": "found at 1 % false alarms",
    "tpr_at_fpr_1e-3": "found at 0.1 % false alarms",
    "ece": "calibration error",
    "ece_scaled": "calibration error, temperature scaled",
}
_OF_ATTRIBUTION = ("balanced_accuracy", "accuracy", "macro_f1", "ece", "ece_scaled")

ClipsOption = Annotated[
    str,
    typer.Option(
        help="What speaks for a clip: mean (all its frames), max (the frame with the largest p(fake)), trimmed (all "
        "but the tenth with the lowest and the tenth with the highest p(fake))."
    ),
]


def names_of() -> dict[str, str]:
    """Every metric with the words that the terminal has for it."""
    detection = {f"detection_{name}": f"real or fake: {words}" for name, words in _OF_DETECTION.items()}
    return detection | {f"attribution_{name}": f"method: {_OF_DETECTION[name]}" for name in _OF_ATTRIBUTION}


def evaluate_runs(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="A finished run folder, such as runs/NAME; or several that differ in their seed alone: the spread.",
        ),
    ],
    on: Annotated[
        list[str] | None,
        typer.Option(
            help="A store to evaluate on, or a selection of one (STORE@method=real,Face2Face); repeatable. Without "
            "one: everything that the run holds predictions of."
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Which split: test, the one that neither training nor model selection has seen.")
    ] = "test",
    clips: ClipsOption = "mean",
    counts_as: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METHOD=CLASS",
            help="A method of the store that is right when it is given this class of the model, such as one of the "
            "same architecture; repeatable.",
        ),
    ] = None,
    unseen_people: Annotated[
        bool,
        typer.Option(
            "--unseen-people",
            help="Score only clips of people who were not trained on, neither in the footage nor put into a fake. Lies "
            "beside the plain result, which stays that of the report.",
        ),
    ] = False,
    figures: Annotated[bool, typer.Option("--figures", help="Also draw reliability diagrams into the run.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, or auto: a GPU where there is one.")] = "auto",
    backend: Annotated[str, typer.Option(help="Who decodes: auto (DALI on a GPU, else cpu), cpu, dali.")] = "auto",
    batch: Annotated[int, typer.Option(help="Images at a time; changes the speed, not the result.", min=1)] = 64,
    threads: Annotated[
        int | None, typer.Option(help="Decoding threads; all cores by default.", min=1, show_default=False)
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Score a run on stores: detection, attribution, calibration, and who is taken for whom.

    An attribution model is a detector by p(fake) = 1 - p(real); balanced accuracy, accuracy and macro-F1 of real or
    fake are at the threshold of the source's equal error rate on its validation split. Intervals are 95 % bootstrap
    over identity groups. Predictions stay in the run folder and are used again, also where the store or the weights
    are gone.
    """
    from trainers.dnadet.protocols import parse_counts_as
    from trainers.evaluation.evaluate import evaluate

    if len(runs) > 1 and not on:
        raise DfxError("the spread over several runs needs a store that all are evaluated on; name it with --on STORE")
    every = []
    for run in runs:
        refs = on or []
        with progress("predicting") as advance:
            done = dict.fromkeys(refs, 0)

            def on_progress(
                ref: str, samples: int, total: int, done: dict[str, int] = done, advance: Any = advance
            ) -> None:
                advance(samples - done[ref], note=ref, total=sum(done.values()) - done[ref] + total)
                done[ref] = samples

            results = evaluate(
                run,
                refs,
                split=split,
                clips=clips,
                counts_as=parse_counts_as(counts_as or []),
                unseen_people=unseen_people,
                figures=figures,
                device=device,
                backend=backend,
                batch=batch,
                threads=threads,
                on_progress=on_progress,
            )
        for result in results if len(runs) == 1 else ():
            _show(result)
        for result in results:
            if result["figure"]:
                console.print(f"reliability: {run / result['figure']}")
        every.append(results)
    if len(runs) > 1:
        _show_spreads(every)
    write_json(json_file, [result for results in every for result in results])


def _show_spreads(every: list[list[dict[str, Any]]]) -> None:
    """For each store, what trainings with different seeds differ in."""
    from trainers.evaluation.seeds import COLUMNS, spreads, table

    for results in zip(*every, strict=True):
        first = results[0]
        where = f"{first['store']}{first['selection']}, split {first['split']}{_part(first)}"
        title = f"\n{len(results)} seeds on {where}, by clip"
        show_table(title, COLUMNS, table(spreads(results), names_of()))


def _show(result: Mapping[str, Any]) -> None:
    title = f"\n{result['run']} on {result['store']}{result['selection']}, split {result['split']}"
    if result["counts_as"]:
        title += ", where " + ", ".join(f"{method} counts as {name}" for method, name in result["counts_as"].items())
    title += _part(result)
    columns = ("", "frames", "95 %", "clips", "95 %")
    rows = [("number", str(result["frame"]["num"]), "", str(result["clip"]["num"]), "")]
    for metric, name in names_of().items():
        if metric in result["frame"]:
            cells = [_cells(result, level, metric) for level in ("frame", "clip")]
            rows.append((name, *cells[0], *cells[1]))
    show_table(title, columns, rows)
    _show_recall(result)
    for line in _remarks(result):
        console.print(line)
    matrix = result["confusion"]
    unseen = {item["method"] for item in result["unseen"]}
    cut = ": p(fake) at 0.5, not at the source's threshold" if result["task"] == "detection" else ", at no threshold"
    show_table(
        f"\nclips by true method (line) and by the model's answer, the class of largest probability{cut} (column)",
        ("", *matrix["columns"]),
        [
            (f"{name} (unseen)" if name in unseen else name, *counts)
            for name, counts in zip(matrix["rows"], matrix["counts"], strict=True)
        ],
    )


def _part(result: Mapping[str, Any]) -> str:
    return ", people unseen in training alone" if result["unseen_people"] else ""


def _show_recall(result: Mapping[str, Any]) -> None:
    tasks = {"detection": "found as fake (real: as real)"}
    if result["task"] == "attribution":
        tasks["attribution"] = "given its own name"
    columns = ["", "clips", *(text for name in tasks.values() for text in (name, "95 %"))]
    rows = []
    for method, found in result["recall"]["clip"].items():
        cells = [cell for task in tasks for cell in _value(found[task], found[f"{task}_interval"])]
        rows.append((method, found["num"], *cells))
    threshold = result["source"]["clip"]["threshold"]
    at = "" if threshold is None else f" (fake from p(fake) {threshold:.3f} on, the source's threshold)"
    show_table(f"\nclips by true method: the share that is{at}", columns, rows)


def _cells(result: Mapping[str, Any], level: str, metric: str) -> tuple[str, str]:
    return _value(result[level][metric], result["intervals"][level][metric])


def _value(value: float | None, interval: tuple[float, float] | None) -> tuple[str, str]:
    if value is None:
        return "undefined", ""
    return f"{value:.3f}", f"{interval[0]:.3f}-{interval[1]:.3f}" if interval else "none"


def _remarks(result: Mapping[str, Any]) -> list[str]:
    """What a reader must know to read the numbers right."""
    from trainers.evaluation.bootstrap import MIN_GROUPS

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
    else:
        lacking = [level for level in ("frame", "clip") if result[level]["detection_tpr_at_fpr_1e-3"] is None]
        if lacking:
            remarks.append(
                "found at 1 % (0.1 %) false alarms is undefined where fewer than 100 (1,000) reals are there"
            )
    for level in ("frame", "clip"):
        of = result["source"][level]
        if of["temperature"] is not None:
            remarks.append(
                f"temperature of a {level}: {of['temperature']:.2f}; it takes the source's validation calibration "
                f"error from {of['ece']:.3f} to {of['ece_scaled']:.3f}"
            )
    if result["clip"]["temperature"] is None and result["clip"]["detection_threshold"] is not None:
        remarks.append("no temperature: on the source's validation no finite one is best")
    if not result["checked"]["store"]:
        remarks.append("scored from stored predictions alone: the store was not opened")
    if not result["checked"]["weights"]:
        remarks.append("nothing says that the weights in the run folder made these predictions")
    if result["groups_shared_with_training"] is None and result["seen_in_training"] is not None:
        remarks.append("whether people are shared with training is unknown: a source's store is not where it was")
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
            f"{result['groups_shared_with_training']} identity groups were trained on as well: the numbers flatter; "
            "--unseen-people scores without them"
        )
    if others := result["unseen_people"]:
        counts = (f"{of['kept']} of {of['kept'] + of['left_out']} {name}" for name, of in others["clips"].items())
        remarks.append(f"clips that show nobody who was trained on: {', '.join(counts)}; the rest is left out")
        if others["source_unknown"]:
            remarks.append(f"of {others['source_unknown']} of these fakes the store does not say who was put in")
    return remarks
