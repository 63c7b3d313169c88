"""`dfx shard --check`: what a tree holds, without converting it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.text import Text

from cli.console import console, count_of, show_table
from dataengine.check import Check, check
from dataengine.errors import printable
from dataengine.forecast import shown_bytes
from dataengine.layouts import layout_named, scan_with
from dataengine.layouts.scan import ScanOptions, in_words
from dataengine.records import SPLITS

_SHOWN = 5


def check_tree(layout: str, root: str, options: ScanOptions, seed: int, *, command: str) -> dict[str, Any]:
    """Show what a conversion by `command` would find; returns what `--json` holds. Raises what the conversion would at
    its start."""
    tree, scan = scan_with(layout, root, options)
    found = check(layout_named(layout, options.form), tree, scan, seed=seed)
    _show(found, command)
    return {**asdict(found), "labels": found.labels, "differences": found.differences}


def _show(found: Check, command: str) -> None:
    head = f"{count_of(found.clips, 'clip')} ({found.labels['real']:,} real, {found.labels['fake']:,} fake)"
    console.print(
        Text(found.root, "bold"),
        f"{head} in {count_of(found.files, 'file')}, {shown_bytes(found.bytes)}",
        sep=": ",
        soft_wrap=True,
    )
    splits = [split for split in SPLITS if any(split in group.splits for group in found.groups)]
    rows = [
        (group.dataset, group.raw_method, group.method, group.clips, *(group.splits.get(s, 0) for s in splits))
        for group in found.groups
    ]
    show_table("Clips by method and split", ("dataset", "in the dataset", "method", "clips", *splits), rows)
    console.print(f"splits: {found.split_origin}", soft_wrap=True)
    if found.compared:
        compared = [
            (
                in_words(each.where),
                each.published,
                each.found,
                "" if each.found == each.published else f"{each.found - each.published:+,}",
            )
            for each in found.compared
        ]
        show_table("Beside what the authors published", ("clips", "published", "found", "difference"), compared)
    _list("listed but missing", found.missing)
    _list("in no list or place of the dataset", found.unexpected)
    _list("videos or images that this conversion leaves aside", found.unused)
    _list("clips without a byte", found.empty)
    for note in (*found.notes, *found.lacking):
        console.print(Text("note", "yellow"), note, soft_wrap=True)
    for pair, count in found.shared_identities.items():
        who = "1 identity is" if count == 1 else f"{count} identities are"
        both = f"{who} in both {pair.replace('+', ' and ')}"
        console.print(Text("note", "yellow"), both, soft_wrap=True)
    differing = f"{found.differences} of {len(found.compared)} published counts differ; " if found.compared else ""
    console.print(f"{differing}nothing was written. It can be converted: {command}", soft_wrap=True)


def _list(what: str, paths: Sequence[str]) -> None:
    if not paths:
        return
    console.print(f"{len(paths):,} {what}:")
    for path in paths[:_SHOWN]:
        console.print(f"  {printable(path)}", soft_wrap=True)
    if len(paths) > _SHOWN:
        console.print(f"  and {len(paths) - _SHOWN:,} more (all of them: --json FILE)")
