"""`dfx shard`: a dataset's tree into a store."""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cli.console import JsonOption, console, count_of, show_notes, write_json
from dataengine.errors import DfxError

if TYPE_CHECKING:
    from dataengine.convert import Converted, Start
    from dataengine.plan import ConvertSettings


def shard(
    context: typer.Context,
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
        str | None,
        typer.Option(
            help="The store's folder, here or a URL. [default: shards/LAYOUT, with --from shards/LAYOUT-FORM; "
            "for manifest shards/ and FILE's name]",
            show_default=False,
        ),
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
    frames: Annotated[int, typer.Option(help="Frames a clip, evenly spread over all of it.")] = 32,
    faces: Annotated[
        str | None,
        typer.Option(
            help="track: crop one face, followed through the clip; largest: the largest of each frame; all: every face "
            "that stays; none: whole frames, images untouched. [default: track; none for sets of cut-out faces]",
            show_default=False,
        ),
    ] = None,
    detector: Annotated[
        str, typer.Option(help="mtcnn, yunet, none (the middle of the frame), or your own package.module:Class.")
    ] = "mtcnn",
    detector_weights: Annotated[
        Path | None, typer.Option(help="The detector's weights. [default: its own; yunet's are fetched once]")
    ] = None,
    boxes: Annotated[
        Path | None, typer.Option(help="CSV or Parquet of path, frame, x0, y0, x1, y1: used instead of a detector.")
    ] = None,
    align: Annotated[bool, typer.Option("--align", help="Turn and scale faces by their five landmarks.")] = False,
    min_face: Annotated[
        int, typer.Option(help="Smallest face, in px of a copy of the frame that is 640 px long at most.")
    ] = 40,
    min_score: Annotated[float, typer.Option(help="Use no detection with a lower score.")] = 0.0,
    detect_stride: Annotated[
        int, typer.Option(help="Look for faces in every so many sampled frames, where tracks hold between them.")
    ] = 4,
    margin: Annotated[float, typer.Option(help="Side of the crop over the face's longer side.")] = 1.3,
    size: Annotated[int, typer.Option(help="Largest side of a stored crop in px; nothing is enlarged.")] = 256,
    codec: Annotated[
        str, typer.Option(help="jpeg (4:4:4 chroma) or png (lossless, about 5 times the bytes).")
    ] = "jpeg",
    jpeg_quality: Annotated[int, typer.Option(help="High, since forensic traces are the signal.")] = 95,
    shard_samples: Annotated[int, typer.Option(help="About so many images a tar.")] = 2048,
    seed: Annotated[int, typer.Option(help="Of derived splits and of the order in the shards.")] = 0,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes; 0: in this one. With --address: shards in hand at once. [default: all cores]", min=0
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="A running Ray cluster (HOST:PORT, or auto) instead of this machine. All its machines must see the "
            "dataset and the store under the same paths or URLs, and have dfx installed (docs/conversion.md)."
        ),
    ] = None,
    max_failures: Annotated[
        int | None, typer.Option(help="Stop after so many unreadable clips. [default: a tenth, at least 20]")
    ] = None,
    decoder: Annotated[
        str, typer.Option(help="Of videos: cpu, or nvdec (a GPU's, through DALI; its pixels differ slightly).")
    ] = "cpu",
    check: Annotated[
        bool, typer.Option("--check", help="Say what the tree holds beside what was published, and write nothing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Begin even where the disk seems too small.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors and the last line alone.")] = False,
    log: Annotated[
        Path | None,
        typer.Option("--log", help="Append what happens to this file, a JSON object a line.", metavar="FILE"),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Convert a dataset once into a store: WebDataset tars with DALI indexes and Parquet tables.

    Killed or interrupted, the same command goes on where it stood; a finished store is recognised and left alone.
    """
    from cli.conversion_progress import ConversionProgress
    from dataengine import nvdec
    from dataengine.convert import convert
    from dataengine.executors import executor_of
    from dataengine.faces.pinned import pin
    from dataengine.layouts import layout_named
    from dataengine.layouts.listed import folder_of, name_of
    from dataengine.layouts.scan import ScanOptions
    from dataengine.plan import ConvertSettings
    from dataengine.settings import ExtractSettings

    settings = ConvertSettings(
        extract=ExtractSettings(
            frames=frames,
            faces=faces or ("none" if layout_named(layout, form).cropped else "track"),  # type: ignore[arg-type]
            detector=detector,
            weights=pin(detector_weights) if detector_weights else None,
            boxes=pin(boxes) if boxes else None,
            align=align,
            min_face=min_face,
            min_score=min_score,
            detect_stride=detect_stride,
            margin=margin,
            size=size,
            codec=codec,  # type: ignore[arg-type]
            quality=jpeg_quality,
            decoder=decoder,  # type: ignore[arg-type]
        ),
        seed=seed,
        shard_samples=shard_samples,
    )
    root = root or (folder_of(listing) if listing else f"data/{layout}")
    options = ScanOptions(quality=quality, splits=split_files, name=name, listing=listing or "", form=form)
    if check:
        from cli.check import check_tree
        from cli.command_line import given_again

        command = given_again(context, without=("check", "json_file"))
        write_json(json_file, check_tree(layout, root, options, seed, command=command))
        return
    if decoder == "nvdec":
        if address is not None:
            raise DfxError("--decoder nvdec takes this machine's GPU, a cluster's tasks have none; leave --address out")
        nvdec.refuse_without_device()
    named = name_of(listing) if listing and layout == "manifest" else f"{layout}-{form}" if form else layout
    out = out or f"shards/{named}"
    num_workers = os.cpu_count() or 1 if workers is None else workers
    start = time.perf_counter()
    with ConversionProgress(f"Converting {layout}", quiet=quiet, log=log) as shown:

        def on_start(begun: Start) -> None:
            standing = len(begun.plan.shards) - len(begun.pending)
            if standing and begun.pending:
                shown.say(f"{standing:,} of {len(begun.plan.shards):,} shards stood already")
            foreseen = _foresee(begun, settings, num_workers, force=force, say=shown.say)
            shown.on_start(begun, layout=layout, out=str(begun.out), foreseen_bytes=foreseen)

        converted = convert(
            layout,
            root,
            out,
            settings,
            options,
            executor=executor_of(workers=workers, address=address),
            max_failures=max_failures,
            on_start=on_start,
            on_clip=shown.on_clip,
            on_shard=shown.on_shard,
            on_slow=shown.on_slow,
        )
        result = summary(converted, time.perf_counter() - start)
        told = ("store", "fingerprint", "samples", "shards_written", "shards_kept", "seconds")
        shown.finished(**{name: result[name] for name in told})
    _show(result, quiet=quiet)
    write_json(json_file, result)


def _foresee(
    begun: Start, settings: ConvertSettings, workers: int, *, force: bool, say: Callable[[str], None]
) -> int | None:
    """Say what the conversion will take of the disk. Raises StoreError where it cannot fit, unless forced to go on."""
    from dataengine.forecast import forecast, free_bytes, refuse_where_it_cannot_fit, shown_bytes
    from dataengine.place import is_remote

    if not begun.pending:
        return None
    found = forecast(begun.pending, begun.root, settings, spawn=workers > 0)
    if found is None:
        say("how much disk it will take is unknown: none of the clips looked at can be read")
        return None
    remote = is_remote(begun.out)
    here = Path(tempfile.gettempdir()) if remote else Path(str(begun.out))
    needed, free = found.disk_bytes(workers=workers, remote=remote), free_bytes(here)
    at_a_time = f", {shown_bytes(needed)} of them here at a time" if remote else ""
    takes = f"about {shown_bytes(found.bytes)} for {count_of(found.images, 'image')}{at_a_time}"
    say(f"{takes}; {shown_bytes(free)} free where {here} lies")
    if not force:
        refuse_where_it_cannot_fit(needed, free, here)
    return found.bytes


def summary(converted: Converted, seconds: float) -> dict[str, Any]:
    """What `--json` holds."""
    from dataengine.splits import lacking

    store = converted.store
    clips = store.clips().to_pylist()
    failed = [{"path": clip["path"], "reason": clip["reason"]} for clip in clips if clip["status"] == "failed"]
    return {
        "store": str(store.root),
        "fingerprint": store.fingerprint,
        "shards_written": converted.written,
        "shards_kept": converted.kept,
        "shards": store.shards().num_rows,
        "clips": len(clips),
        "failed": failed,
        "samples": sum(clip["samples"] for clip in clips),
        "frames_without_face": sum(clip["faces_missing"] or 0 for clip in clips if clip["status"] == "ok"),
        "faces_interpolated": sum(clip["faces_interpolated"] or 0 for clip in clips),
        "tracks_left_out": sum(clip["tracks_left_out"] or 0 for clip in clips),
        "split_origin": store.meta["split_origin"],
        "split_none": sum(clip["split"] == "none" for clip in clips),
        "notes": store.meta["notes"],
        "lacking": lacking((clip["split"], clip["label"]) for clip in clips if clip["samples"]),
        "leaks": store.meta["leaks"],
        "shared_identities": store.meta["shared_identities"],
        "seconds": round(seconds, 2),
    }


def _show(result: dict[str, Any], *, quiet: bool) -> None:
    if not result["shards_written"]:
        console.print(
            f"{result['store']} is finished already: {count_of(result['samples'], 'image')}, nothing to do",
            soft_wrap=True,
        )
    else:
        lost = f", {len(result['failed']):,} failed" if quiet and result["failed"] else ""
        console.print(
            Text(result["store"], "bold"),
            f"{count_of(result['samples'], 'image')} of {count_of(result['clips'], 'clip')}{lost} in "
            f"{count_of(result['shards'], 'shard')}, {result['seconds']:.0f} s",
            sep=": ",
            soft_wrap=True,
        )
    if quiet:
        return
    reasons = Counter(entry["reason"] for entry in result["failed"])
    if result["failed"]:
        failed = Text(f"{count_of(len(result['failed']), 'clip')} failed", "red")
        console.print(failed, "(all of them: clips.parquet, status = failed)")
        for reason, count in reasons.most_common(5):
            first = next(entry["path"] for entry in result["failed"] if entry["reason"] == reason)
            console.print(f"  {count} x {reason} (such as {first})", soft_wrap=True)
    if result["frames_without_face"]:
        console.print(
            f"{count_of(result['frames_without_face'], 'frame')} left out: the clip's face was not found in them"
        )
    if result["faces_interpolated"]:
        console.print(f"{count_of(result['faces_interpolated'], 'face')} interpolated over short gaps")
    if result["tracks_left_out"]:
        console.print(
            f"{count_of(result['tracks_left_out'], 'face')} left out: seen in less than a tenth of their clip's frames"
        )
    if result["split_none"]:
        console.print(f"{result['split_none']:,} fakes join two splits and stand in none of them (split 'none')")
    show_notes(result)
    console.print(f"next: {shlex.join(['dfx', 'info', result['store']])}", soft_wrap=True)
