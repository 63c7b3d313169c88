"""What the commands that write a store from stores share: how they tell of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from cli.console import console, count_of, progress, write_json
from dataengine.errors import StoreError

if TYPE_CHECKING:
    from dataengine.operations.rewrite import Rewritten
    from dataengine.store import Store

OutOption = Annotated[Path, typer.Option("--out", help="The new store's folder.", metavar="FOLDER")]


def open_whole(text: str) -> Store:
    """The store that a command's argument names; a selection of one is refused."""
    from dataengine.store import open_store, parse_ref

    if parse_ref(text).where:
        raise StoreError(f"'{text}' is a selection; give the whole store, and select with `dfx filter` first")
    return open_store(text)


def run_rewrite(what: str, work: Callable[[Callable[[str, int], None]], Rewritten], json_file: Path | None) -> None:
    """Do the work under a progress bar and say what came of it."""
    with progress(what) as advance:
        done = work(lambda name, total: advance(note=name, total=total))
    store = done.store
    samples = sum(store.shards()["samples"].to_pylist())
    if done.written:
        clips, shards = count_of(store.meta["clips"], "clip"), count_of(done.written + done.kept, "shard")
        held = f"{count_of(samples, 'image')} of {clips} in {shards}"
        console.print(f"{store.root}: {held}", soft_wrap=True)
    else:
        console.print(f"{store.root} is finished already: {count_of(samples, 'image')}, nothing to do", soft_wrap=True)
    for note in store.meta["notes"]:
        console.print(Text("note", "yellow"), note, soft_wrap=True)
    console.print(f"fingerprint {store.fingerprint}")
    console.print(f"next: {shlex.join(['dfx', 'info', str(store.root)])}", soft_wrap=True)
    result = {
        "store": str(store.root),
        "fingerprint": store.fingerprint,
        "samples": samples,
        "clips": store.meta["clips"],
        "shards_written": done.written,
        "shards_kept": done.kept,
        "notes": store.meta["notes"],
        "made_by": store.meta["made_by"],
    }
    write_json(json_file, result)
