"""`dfx verify STORE [STORE ...] --leaks`: what splits and stores share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cli.console import console, counted, progress, show_table, write_json
from dataengine.errors import StoreError

if TYPE_CHECKING:
    from dataengine.leaks import LeakReport
    from dataengine.leaks.records import Kind, Leak


def show_leaks(stores: Sequence[str], *, test_lists: Sequence[Path] = (), json_file: Path | None = None) -> None:
    """Search, show what was found, and write it to `json_file`.

    Raises StoreError, so that the command ends with 1, where a leak joins what is tested on and what is learnt from or
    chosen by; leaks between two training or two test splits are shown alone.
    """
    from dataengine.leaks.search import find_leaks

    with progress("Comparing images") as advance:
        report = find_leaks(stores, test_lists=test_lists, on_image=counted(advance))
    show_report(report)
    write_json(json_file, payload(report))
    if report.breaks:
        serious = [leak for leak in report.leaks if leak.breaks]
        first, count = " and ".join(serious[0].sides), f"{len(serious)} finding{'s' * (len(serious) > 1)}"
        raise StoreError(
            f"training and test are not apart: {first} share material ({count}); leave those clips out of one side, or "
            "report the result as one within a dataset"
        )


def payload(report: LeakReport) -> dict[str, Any]:
    """What `--json` holds."""
    return {**asdict(report), "breaks": report.breaks}


def show_report(report: LeakReport) -> None:
    from dataengine.leaks.records import MEANING

    rows = [[side.name, side.clips, side.images, side.beside_their_reals] for side in report.sides]
    show_table("compared", ["split", "clips", "images", "fakes beside their reals"], rows)
    if report.unreadable:
        told = f"{report.unreadable:,} images could not be decoded (first: {report.first_unreadable})"
        console.print(Text("note", "yellow"), told, soft_wrap=True)
    if report.plain:
        told = f"{report.plain:,} images are too plain to be told apart by what they show; their bytes were compared"
        console.print(Text("note", "yellow"), told, soft_wrap=True)
    if not report.leaks:
        console.print("nothing in common: no bytes, frames or identities, and no official test clip elsewhere")
        return
    for kind, leaks in groupby(sorted(report.leaks, key=lambda leak: list(MEANING).index(leak.kind)), _kind):
        _show_kind(kind, list(leaks))
    console.print("an example of each", style="bold")
    for leak in report.leaks:
        what, _ = MEANING[leak.kind]
        console.print(Text(what, "yellow"), f"{leak.examples[0][0]}  |  {leak.examples[0][1]}", soft_wrap=True)


def _kind(leak: Leak) -> Kind:
    return leak.kind


def _show_kind(kind: Kind, leaks: Sequence[Leak]) -> None:
    """The leaks of one kind: its name stands above them, so that the table is narrow enough for most terminals."""
    from dataengine.leaks.records import MEANING

    what, unit = MEANING[kind]
    frames = any(leak.frames for leak in leaks)
    rows = []
    for leak in leaks:
        first, second = (f"{clips:,} of {side}" for clips, side in zip(leak.clips, leak.sides, strict=True))
        near = [leak.frames] if frames else []
        rows.append([leak.count, *near, first, second, "train, test" if leak.breaks else ""])
    columns = ["count", *(["frames"] if frames else []), "clips of one side", "clips of the other", "joins"]
    show_table(f"in common: {what}" + f" ({unit})" * (unit not in what), columns, rows)
