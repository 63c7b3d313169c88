"""`dfx compare`: whether one run is better than another on the same samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import JsonOption, console, show_table, write_json
from cli.evaluate import ClipsOption, names_of


def compare(
    run_a: Annotated[Path, typer.Argument(help="A finished run folder.")],
    run_b: Annotated[Path, typer.Argument(help="The one it is compared with.")],
    on: Annotated[str, typer.Option(help="The store, or a selection of one, that `dfx eval` scored both runs on.")],
    split: Annotated[str, typer.Option(help="Which split.")] = "test",
    clips: ClipsOption = "mean",
    json_file: JsonOption = None,
) -> None:
    """Compare two runs on the same samples: each metric's difference A - B with its 95 % interval.

    Both are scored on the same bootstrap draws of identity groups. "not better" is the share of draws in which A is not
    better than B. Reads stored predictions; neither weights nor the store are needed.
    """
    from trainers.evaluation.bootstrap import MIN_GROUPS
    from trainers.evaluation.compare import compare_runs

    result = compare_runs(run_a, run_b, on, split=split, clips=clips)
    where = f"{result['store']}{result['selection']}, split {result['split']}"
    for level in ("frame", "clip"):
        title = f"\nby {level}: A = {run_a}, B = {run_b}, on {where}"
        columns = ("", "A", "B", "A - B", "95 %", "A not better in")
        rows = [(names_of()[metric], *_cells(found)) for metric, found in result[level].items()]
        show_table(title, columns, rows)
    if not result["same_classes"]:
        console.print("the runs tell different classes apart: only real or fake is compared")
    if result["groups"] < MIN_GROUPS:
        console.print(f"no intervals: {result['groups']} identity groups, fewer than {MIN_GROUPS}")
    if result["unreadable"]:
        console.print(f"{result['unreadable']} frames that one of the runs could not read are left out for both")
    write_json(json_file, result)


def _cells(found: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    values = ["undefined" if found[name] is None else f"{found[name]:.3f}" for name in ("first", "second")]
    if found["difference"] is None:
        return values[0], values[1], "undefined", "", ""
    gap = f"{found['difference']:+.3f}"
    if found["interval"] is None:
        return values[0], values[1], gap, "none", ""
    low, high = found["interval"]
    return values[0], values[1], gap, f"{low:+.3f} to {high:+.3f}", f"{100 * found['not_better']:.1f} %"
