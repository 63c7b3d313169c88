"""`dfx report`: finished runs in, one HTML page out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from cli.console import JsonOption, console, write_json


def report(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Run folders, such as runs/NAME; with --sweep they may be left out.")
    ] = None,
    sweep: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a sweep: adds its best trials. Without RUN, reports for each source, model and loss the "
            "settings with the best score on the source's validation split; targets have no say."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The page to write; replaced where it exists.")] = Path("report.html"),
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Across datasets",
    json_file: JsonOption = None,
) -> None:
    """Write one self-contained HTML page: the source x target matrix with intervals, confusion matrices, curves.

    It is made from the predictions in the run folders (see `dfx eval`), without a GPU and without the stores. Runs
    that differ only in their seed become one row.
    """
    from trainers.report.page import build_report

    finished = _finished(runs or [])
    page = build_report(finished, out, trials=sweep / "trials.parquet" if sweep else None, title=title)
    console.print(f"report: {page}")
    write_json(json_file, {"report": str(page), "runs": [str(run) for run in finished]})


def _finished(runs: list[Path]) -> list[Path]:
    """The runs that can be reported, if there are several: one that is unfinished, or none, is named and left out."""
    from dataengine.errors import StateError
    from trainers.run import open_run

    found = []
    for run in runs:
        try:
            open_run(run, weights=False)
        except StateError as error:
            if len(runs) == 1:
                raise
            console.print(Text("left out", "yellow"), str(error), soft_wrap=True)
        else:
            found.append(run)
    if runs and not found:
        raise StateError("none of these runs is finished; name one that is")
    return found
