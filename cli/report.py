"""`dfx report`: finished runs in, one HTML page out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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

    page = build_report(runs or [], out, trials=sweep / "trials.parquet" if sweep else None, title=title)
    console.print(f"report: {page}")
    write_json(json_file, {"report": str(page), "runs": [str(run) for run in runs or []]})
