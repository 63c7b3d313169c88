"""What every command shares: the terminal, progress bars, tables and `--json`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from dataengine.errors import DfxError

# Without markup: in the names of files and stores, "[x]" is no style.
console = Console(highlight=False, markup=False)
errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def _writable(path: Path | None) -> Path | None:
    """Whether the result of `--json` can be written, said before the work rather than after it."""
    if path is not None:
        there = next(parent for parent in path.absolute().parents if os.path.exists(parent))
        if os.path.isdir(path):
            raise DfxError(f"--json {path} is a folder; name a file")
        if not there.is_dir() or not os.access(there, os.W_OK):
            raise DfxError(f"--json {path} cannot be written: {there} is no folder to write in; name another file")
    return path


_PICTURES = (".png", ".svg", ".pdf")


def drawable(option: typer.CallbackParam, path: Path | None) -> Path | None:
    """Whether an option's picture can be written, said before the work rather than after it."""
    name = option.opts[-1]
    if path is not None and path.suffix not in _PICTURES:
        raise DfxError(f"{name} {path} is no picture's name; let it end in {', '.join(_PICTURES)}")
    if path is not None and not path.absolute().parent.is_dir():
        raise DfxError(f"{name} {path} cannot be written: {path.parent} is no folder; name another file")
    return path


JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json",
        help="Also write the result to this file, with stable keys.",
        metavar="FILE",
        callback=_writable,
    ),
]


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """A progress bar for `what`; yields `advance(done=1, *, note="", total=None)`.

    Where the output is no terminal the bar is not drawn, so that logs stay readable.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        # It takes what is left of the line, so that a long note is cut off and the bar stays whole.
        TextColumn("{task.fields[note]}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, expand=True) as bar:
        task = bar.add_task(what, total=total, note="")

        def advance(done: int = 1, *, note: str = "", total: int | None = None) -> None:
            if total is not None:
                bar.update(task, total=total)
            bar.update(task, advance=done, note=note)

        yield advance


def counted(advance: Callable[..., None]) -> Callable[..., None]:
    """`on_progress(done, total, *, note="")` for callers that count from the start, moving `advance`'s bar."""
    shown = 0

    def on_progress(done: int, total: int, *, note: str = "") -> None:
        nonlocal shown
        advance(done - shown, note=note, total=total)
        shown = done

    return on_progress


def count_of(number: int, what: str) -> str:
    """`what` in the number there is of it: "1 clip", "1,200 clips"."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def show_notes(result: Mapping[str, Any]) -> None:
    """What a user of a store should know: identities that splits share, its layout's notes, what its splits lack, leaks
    by format."""
    for pair, count in result["shared_identities"].items():
        # Derived splits share none.
        origin = f"it comes with the dataset's own splits ({result['split_origin']})"
        who = "1 identity is" if count == 1 else f"{count} identities are"
        both = f"{who} in both {pair.replace('+', ' and ')}; {origin}"
        console.print(Text("note", "yellow"), both, soft_wrap=True)
    for note in (*result["notes"], *result["lacking"]):
        console.print(Text("note", "yellow"), note, soft_wrap=True)
    for leak in result["leaks"]:
        console.print(Text("leak by format", "yellow"), leak, soft_wrap=True)
    if result["leaks"]:
        advice = "convert all from one compression to one --size and --codec, or report it beside every score"
        console.print(f"a detector may read the format instead of the forgery: {advice}", soft_wrap=True)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under columns; numbers are set to the right."""
    console.print(title, style="bold", soft_wrap=True)  # a table's own title would be broken at the table's width
    table = Table(header_style="bold", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[i], int | float) or row[i] in ("", "–") for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(
            *(
                f"{cell:,.3f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)
                for cell in row
            )
        )
    wanted = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    table.collapse_padding = wanted > console.width  # closer columns before broken cells
    console.print(table)


def write_json(path: Path | None, payload: Any) -> None:
    """Write the result of a command where `--json` asked for it, whole or not at all."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w") as stream:
                json.dump(payload, stream, indent=2, allow_nan=False)
                stream.write("\n")
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DfxError(f"--json {path} cannot be written ({error.strerror}); name another file") from None
