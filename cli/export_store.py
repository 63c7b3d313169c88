"""`dfx export STORE`: a store back as folders of images and a CSV."""

from __future__ import annotations

import shlex
from pathlib import Path

from cli.console import console, count_of, progress, write_json
from cli.rewriting import open_whole
from dataengine.errors import DfxError


def is_store(text: str) -> bool:
    """Whether the argument of `dfx export` names a store: a URL, a selection, or a folder with a dataset.json."""
    from dataengine.remote import is_url
    from dataengine.store import DATASET_FILE, parse_ref

    return is_url(text) or (Path(parse_ref(text).path) / DATASET_FILE).exists()


def export_store(text: str, out: Path | None, json_file: Path | None) -> None:
    """Write the store that `text` names into the folder `out`, and say so."""
    from dataengine.operations.export import INDEX_CSV
    from dataengine.operations.export import export_store as export

    if out is None:
        raise DfxError(f"{text} is a store; say with --out into which folder it goes")
    store = open_whole(text)
    with progress("Exporting") as advance:
        done = export(store, out, on_shard=lambda name, total: advance(note=name, total=total))
    told = f"{count_of(done.images, 'image')} and {INDEX_CSV}" if done.written else "exported already, nothing to do"
    console.print(f"{done.folder}: {told}", soft_wrap=True)
    listing, back = str(done.folder / INDEX_CSV), f"shards/{store.name}-exported"
    again = shlex.join(["dfx", "shard", "manifest", listing, "--faces", "none", "--out", back])
    console.print(f"next: {again}", soft_wrap=True)
    result = {"store": str(store.root), "fingerprint": store.fingerprint, "folder": str(done.folder)}
    write_json(json_file, {**result, "images": done.images, "written": done.written})
