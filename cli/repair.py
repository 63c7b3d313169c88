"""`dfx repair`: what is damaged in a store, written anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.console import JsonOption, console, count_of, progress, write_json
from cli.verify import whole_store
from dataengine.errors import StoreError


def repair(
    store: Annotated[str, typer.Argument(help="A store's folder.")],
    root: Annotated[
        str | None, typer.Option(help="The dataset's folder or URL that it was made from. [default: data/LAYOUT]")
    ] = None,
    split_files: Annotated[
        Path | None,
        typer.Option("--splits", help="The folder that was given to `dfx shard --splits`, where it has moved."),
    ] = None,
    listing: Annotated[
        str, typer.Option("--list", help="The list of files that `dfx shard` was given, where it has moved.")
    ] = "",
    detector_weights: Annotated[
        Path | None, typer.Option(help="The file that was given to `dfx shard --detector-weights`.", metavar="FILE")
    ] = None,
    boxes: Annotated[
        Path | None, typer.Option(help="The file that was given to `dfx shard --boxes`.", metavar="FILE")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Verify a store in full and write anew what is damaged, to exactly the bytes that are recorded.

    Tars come from the dataset's files, tables and DALI's indexes from the tars. What cannot be had again is left as it
    is and named, with exit code 1.
    """
    from dataengine.faces.pinned import pin
    from dataengine.operations.repair import repair as repair_store

    opened = whole_store(store)
    with progress("Verifying") as advance:
        done = repair_store(
            store,
            root,
            splits_dir=split_files,
            listing=listing,
            weights=pin(detector_weights) if detector_weights else None,
            boxes=pin(boxes) if boxes else None,
            on_shard=lambda name, total: advance(note=name, total=total),
        )
    for name in done.written:
        console.print(f"{opened.root / name}: written anew", soft_wrap=True)
    refused = [{"file": name, "reason": reason} for name, reason in done.refused]
    write_json(json_file, {"store": str(opened.root), "written": list(done.written), "refused": refused})
    if done.refused:
        name, reason = done.refused[0]
        more = f" (and {count_of(len(refused) - 1, 'other file')}, see --json)" if len(refused) > 1 else ""
        raise StoreError(f"{opened.root / name} stays damaged: {reason}{more}")
    if not done.written:
        console.print(f"{store} is whole: nothing to repair", soft_wrap=True)
