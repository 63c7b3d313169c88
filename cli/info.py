"""`dfx info`: what a store holds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cli.console import JsonOption, console, show_notes, show_table, write_json
from dataengine.errors import StoreError

if TYPE_CHECKING:
    from dataengine.store import Store


def info(
    store: Annotated[str, typer.Argument(help="A store's folder or URL, such as shards/ff++ or s3://bucket/ff++.")],
    json_file: JsonOption = None,
) -> None:
    """Show what a store holds: clips and images by method and split, what failed, its fingerprint and settings."""
    from dataengine.store import open_store, parse_ref

    if parse_ref(store).where:
        raise StoreError(f"'{store}' is a selection; dfx info shows whole stores: leave out what follows the '@'")
    result = describe(open_store(store))
    _show(result)
    write_json(json_file, result)


def describe(store: Store) -> dict[str, Any]:
    """What `--json` holds."""
    clips, shards = store.clips().to_pylist(), store.shards().to_pylist()
    images: Counter[tuple[str, str, str]] = Counter()
    failed: Counter[tuple[str, str, str]] = Counter()
    for clip in clips:
        cell = (clip["dataset"], clip["method"], clip["split"])
        images[cell] += clip["samples"]
        failed[cell] += clip["status"] == "failed"
    count = Counter((clip["dataset"], clip["method"], clip["split"]) for clip in clips)
    return {
        "store": str(store.root),
        "layout": store.meta["layout"],
        "fingerprint": store.fingerprint,
        "dfx": store.meta["dfx"],
        "split_origin": store.meta["split_origin"],
        "shared_identities": store.meta["shared_identities"],
        "settings": store.meta["settings"],
        "shards": len(shards),
        "bytes": sum(shard["bytes"] for shard in shards),
        "samples": sum(shard["samples"] for shard in shards),
        "clips": len(clips),
        "failed": sum(failed.values()),
        "notes": store.meta["notes"],
        "leaks": store.meta["leaks"],
        "contents": [
            {
                "dataset": dataset,
                "method": method,
                "split": split,
                "clips": count[dataset, method, split],
                "failed": failed[dataset, method, split],
                "samples": images[dataset, method, split],
            }
            for dataset, method, split in sorted(count, key=lambda cell: (cell[0], cell[1] != "real", cell[1:]))
        ],
    }


def _show(result: dict[str, Any]) -> None:
    from dataengine.refs import parse_ref

    console.print(
        Text(parse_ref(result["store"]).shown, "bold"),
        f"({result['layout']}): {result['samples']:,} images of {result['clips']:,} clips, "
        f"{result['shards']} shards, {result['bytes'] / 1e6:,.1f} MB",
    )
    cells: dict[tuple[str, str], dict[str, Any]] = {(row["dataset"], row["method"]): {} for row in result["contents"]}
    for row in result["contents"]:
        cells[row["dataset"], row["method"]][row["split"]] = row
    splits = [split for split in ("train", "val", "test", "none") if any(split in by for by in cells.values())]
    rows = []
    for (dataset, method), by in cells.items():
        numbers = [f"{by[split]['clips']:,} / {by[split]['samples']:,}" if split in by else "–" for split in splits]
        rows.append([dataset, method, *numbers, sum(row["failed"] for row in by.values())])
    show_table("clips / images", ["dataset", "method", *splits, "failed clips"], rows)
    console.print(f"splits: {result['split_origin']}")
    show_notes(result)
    if taken := result["settings"].get("extract"):  # a merged store's parts may have been cut differently
        console.print(", ".join(f"{name} {value}" for name, value in taken.items()), soft_wrap=True)
    console.print(f"fingerprint {result['fingerprint']}")
