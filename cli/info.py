"""`dfx info`: what a store holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cli.console import JsonOption, console, count_of, show_notes, show_table, write_json
from cli.taken import taken
from dataengine.errors import StoreError
from dataengine.records import REAL, SPLITS
from dataengine.source import VIDEO_SUFFIXES, suffix

if TYPE_CHECKING:
    from dataengine.store import Store

_SHOWN_REASONS = 8


def info(
    store: Annotated[str, typer.Argument(help="A store's folder or URL, such as shards/ff++ or s3://bucket/ff++.")],
    json_file: JsonOption = None,
) -> None:
    """Show what a store holds: clips and images by method, split and compression, their sizes, the faces that were
    found, what failed and why, what is missing, its fingerprint and settings."""
    from dataengine.store import open_store, parse_ref

    if parse_ref(store).where:
        raise StoreError(f"'{store}' is a selection; dfx info shows whole stores: leave out what follows the '@'")
    opened = open_store(store)
    result = describe(opened)
    _show(result, _taken(opened))
    write_json(json_file, result)


def describe(store: Store) -> dict[str, Any]:
    """What `--json` holds."""
    from dataengine.overview import overview
    from dataengine.splits import lacking

    counted, shards = overview(store), store.shards()
    return {
        "store": str(store.root),
        "layout": store.meta["layout"],
        "fingerprint": store.fingerprint,
        "dfx": store.meta["dfx"],
        "split_origin": store.meta["split_origin"],
        "shared_identities": store.meta["shared_identities"],
        "settings": store.meta["settings"],
        "shards": shards.num_rows,
        "bytes": sum(shards["bytes"].to_pylist()),
        "samples": sum(cell.samples for cell in counted.cells),
        "clips": sum(cell.clips for cell in counted.cells),
        "failed": sum(cell.failed for cell in counted.cells),
        "missing": len(store.meta.get("missing", ())),
        "unexpected": len(store.meta.get("unexpected", ())),
        "notes": store.meta["notes"],
        "lacking": lacking((cell.split, int(cell.method != REAL)) for cell in counted.cells if cell.samples),
        "leaks": store.meta["leaks"],
        "contents": [asdict(cell) for cell in counted.cells],
        "sizes": {"width": asdict(counted.width), "height": asdict(counted.height)},
        "reasons": [asdict(reason) for reason in counted.reasons],
        "faces": [{**asdict(share), "share": share.share} for share in counted.faces],
        "face_bias": counted.face_bias,
    }


def _taken(store: Store) -> str:
    """The settings line; "" of a merged store, whose parts may have been cut differently."""
    if not (settings := store.meta["settings"].get("extract")):
        return ""
    media = {suffix(path) in VIDEO_SUFFIXES for path in store.clips(["path"])["path"].to_pylist()}
    return taken(settings, videos=True in media, images=False in media)


def _show(result: dict[str, Any], settings: str) -> None:
    from dataengine.refs import parse_ref

    console.print(
        Text(parse_ref(result["store"]).shown, "bold"),
        f"({result['layout']}): {count_of(result['samples'], 'image')} of "
        f"{count_of(result['clips'], 'clip')}, {count_of(result['shards'], 'shard')}, {result['bytes'] / 1e6:,.1f} MB",
    )
    _show_contents(result["contents"])
    width, height = (
        f"{side} {extent['min']:,} to {extent['max']:,} px, median {extent['median']:,.0f}"
        for side, extent in result["sizes"].items()
    )
    console.print(f"images: {width}; {height}", soft_wrap=True)
    if result["faces"]:
        _show_faces(result["faces"])
    if result["face_bias"]:
        console.print(Text("note", "yellow"), result["face_bias"], soft_wrap=True)
    if result["reasons"]:
        _show_reasons(result["reasons"])
    console.print(f"splits: {result['split_origin']}")
    for what, told in (("missing", "listed, but not in the tree"), ("unexpected", "in the tree, but not understood")):
        if result[what]:
            console.print(f"{what}: {count_of(result[what], 'file')} {told}; all are named in dataset.json")
    show_notes(result)
    if settings:
        console.print(f"settings: {settings}")
    console.print(f"fingerprint {result['fingerprint']}")


def _show_contents(contents: list[dict[str, Any]]) -> None:
    by_row = _by_split(contents, ("dataset", "method", "quality"))
    splits = _splits(contents)
    rows = []
    for named, by in by_row.items():
        numbers = [f"{by[split]['clips']:,} / {by[split]['samples']:,}" if split in by else "–" for split in splits]
        size = sum(cell["bytes"] for cell in by.values()) / 1e6
        rows.append([*named, *numbers, sum(cell["failed"] for cell in by.values()), f"{size:,.1f}"])
    show_table("clips / images", ["dataset", "method", "quality", *splits, "failed clips", "MB"], rows)


def _show_faces(faces: list[dict[str, Any]]) -> None:
    splits = _splits(faces)
    rows = [
        [*named, *(f"{by[split]['share']:.1%}" if split in by else "–" for split in splits)]
        for named, by in _by_split(faces, ("method",)).items()
    ]
    show_table("frames with a face", ["method", *splits], rows)


def _show_reasons(reasons: list[dict[str, Any]]) -> None:
    rows = [[one["clips"], one["status"], one["reason"]] for one in reasons[:_SHOWN_REASONS]]
    show_table("why clips failed, or lack frames", ["clips", "", "reason"], rows)
    if more := sum(one["clips"] for one in reasons[_SHOWN_REASONS:]):
        console.print(f"and {count_of(more, 'clip')} for other reasons; --json has all")


def _by_split(found: list[dict[str, Any]], names: tuple[str, ...]) -> dict[tuple[str, ...], dict[str, dict[str, Any]]]:
    """Rows of a table in their order, each by split."""
    rows: dict[tuple[str, ...], dict[str, dict[str, Any]]] = {}
    for one in found:
        rows.setdefault(tuple(one[name] for name in names), {})[one["split"]] = one
    return rows


def _splits(found: list[dict[str, Any]]) -> list[str]:
    return [split for split in SPLITS if any(one["split"] == split for one in found)]
