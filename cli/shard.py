"""`dfx shard`: a dataset's tree into a store."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cli.console import JsonOption, console, progress, show_notes, write_json

if TYPE_CHECKING:
    from dataengine.convert import ClipDone, Converted


def shard(
    layout: Annotated[str, typer.Argument(help="What the dataset's tree looks like: `dfx layouts` lists them.")],
    listing: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE",
            help="The list of the dataset's files, for manifest (CSV or Parquet) and images (lines of PATH<TAB>LABEL).",
        ),
    ] = None,
    root: Annotated[
        str | None,
        typer.Option(
            help="The dataset's folder or URL. [default: data/LAYOUT, or the folder of FILE]", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The store's folder. [default: shards/LAYOUT; for manifest shards/ and FILE's name]"),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--from", help="Which form, where a layout has several: `dfx layouts NAME` says (manifest: deepfakebench)."
        ),
    ] = "",
    quality: Annotated[
        str,
        typer.Option(
            help="The compression to take, where there are several (ff++: raw, c23, c40). [default: the layout's]",
            show_default=False,
        ),
    ] = "",
    split_files: Annotated[
        Path | None, typer.Option("--splits", help="Folder of the official split files. [default: in the root]")
    ] = None,
    name: Annotated[
        str, typer.Option(help="Layouts folder, images, manifest: the dataset's name. [default: the root's or FILE's]")
    ] = "",
    frames: Annotated[int, typer.Option(help="Frames a video, evenly spaced over all of it.")] = 32,
    faces: Annotated[
        str | None,
        typer.Option(
            help="largest: crop one face; none: whole frames, images untouched. [default: largest; none for sets "
            "of cut-out faces]",
            show_default=False,
        ),
    ] = None,
    margin: Annotated[float, typer.Option(help="Side of the crop over the face's longer side.")] = 1.3,
    size: Annotated[int, typer.Option(help="Largest side of a stored crop in px; nothing is enlarged.")] = 256,
    codec: Annotated[
        str, typer.Option(help="jpeg (4:4:4 chroma) or png (lossless, about 5 times the bytes).")
    ] = "jpeg",
    jpeg_quality: Annotated[int, typer.Option(help="High, since forensic traces are the signal.")] = 95,
    shard_samples: Annotated[int, typer.Option(help="About so many images a tar.")] = 2048,
    seed: Annotated[int, typer.Option(help="Of derived splits and of the order in the shards.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes; 0: in this one. [default: all cores]", min=0)] = None,
    max_failures: Annotated[
        int | None, typer.Option(help="Stop after so many unreadable clips. [default: a tenth, at least 20]")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Convert a dataset once into a store: WebDataset tars with DALI indexes and Parquet tables.

    Killed or interrupted, the same command goes on where it stood; a finished store is recognised and left alone.
    """
    from dataengine.convert import convert
    from dataengine.extract import ExtractSettings
    from dataengine.layouts import layout_named
    from dataengine.layouts.listed import folder_of, name_of
    from dataengine.layouts.scan import ScanOptions
    from dataengine.plan import ConvertSettings

    settings = ConvertSettings(
        extract=ExtractSettings(
            frames=frames,
            faces=faces or ("none" if layout_named(layout, form).cropped else "largest"),  # type: ignore[arg-type]
            margin=margin,
            size=size,
            codec=codec,  # type: ignore[arg-type]
            quality=jpeg_quality,
        ),
        seed=seed,
        shard_samples=shard_samples,
    )
    root = root or (folder_of(listing) if listing else f"data/{layout}")
    out = out or Path("shards") / (name_of(listing) if listing and layout == "manifest" else layout)
    start = time.perf_counter()
    with progress(f"Converting {layout}") as advance:

        def on_clip(done: ClipDone) -> None:
            failed = f"failed: {done.clip.first}" if done.report.status == "failed" else ""
            advance(note=failed, total=done.total)

        converted = convert(
            layout,
            root,
            out,
            settings,
            ScanOptions(quality=quality, splits=split_files, name=name, listing=listing or "", form=form),
            workers=os.cpu_count() or 1 if workers is None else workers,
            max_failures=max_failures,
            on_clip=on_clip,
        )
    result = summary(converted, time.perf_counter() - start)
    _show(result)
    write_json(json_file, result)


def summary(converted: Converted, seconds: float) -> dict[str, Any]:
    """What `--json` holds."""
    store = converted.store
    clips = store.clips().to_pylist()
    failed = [{"path": clip["path"], "reason": clip["reason"]} for clip in clips if clip["status"] == "failed"]
    return {
        "store": str(store.root),
        "fingerprint": store.fingerprint,
        "shards_written": converted.written,
        "shards_kept": converted.kept,
        "clips": len(clips),
        "failed": failed,
        "samples": sum(clip["samples"] for clip in clips),
        "frames_without_face": sum(clip["faces_missing"] or 0 for clip in clips),
        "faces_interpolated": sum(clip["faces_interpolated"] or 0 for clip in clips),
        "split_origin": store.meta["split_origin"],
        "split_none": sum(clip["split"] == "none" for clip in clips),
        "notes": store.meta["notes"],
        "leaks": store.meta["leaks"],
        "shared_identities": store.meta["shared_identities"],
        "seconds": round(seconds, 2),
    }


def _show(result: dict[str, Any]) -> None:
    if not result["shards_written"]:
        console.print(f"{result['store']} is finished already: {result['samples']:,} images, nothing to do.")
    else:
        console.print(
            Text(result["store"], "bold"),
            f"{result['samples']:,} images of {result['clips']:,} clips in "
            f"{result['shards_written'] + result['shards_kept']} shards, {result['seconds']:.0f} s",
            sep=": ",
        )
    reasons = Counter(entry["reason"] for entry in result["failed"])
    if result["failed"]:
        failed = Text(f"{len(result['failed'])} clips failed", "red")
        console.print(failed, "(all of them: clips.parquet, status = failed)")
        for reason, count in reasons.most_common(5):
            first = next(entry["path"] for entry in result["failed"] if entry["reason"] == reason)
            console.print(f"  {count} x {reason} (such as {first})", soft_wrap=True)
    if result["frames_without_face"]:
        console.print(f"{result['frames_without_face']:,} frames left out: the clip's face was not found in them")
    if result["faces_interpolated"]:
        console.print(f"{result['faces_interpolated']:,} faces interpolated over gaps of up to two sampled frames")
    if result["split_none"]:
        console.print(f"{result['split_none']:,} fakes join two splits and stand in none of them (split 'none')")
    show_notes(result)
    console.print(f"next: dfx info {result['store']}")
