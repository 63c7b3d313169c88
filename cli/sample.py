"""`dfx sample`: a miniature dataset to try everything on."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cli.console import JsonOption, console, counted, progress, write_json

if TYPE_CHECKING:
    from dataengine.sample import SampleReport


def sample(
    name: Annotated[str, typer.Argument(help="ff++, celeb-df or folder (class folders, without official splits).")],
    root: Annotated[Path | None, typer.Option(help="Folder to make it in. [default: data/NAME]")] = None,
    clips: Annotated[
        int, typer.Option(help="Real clips; each gets one fake of each method. 16 make splits of 5, 1 and 2 pairs.")
    ] = 16,
    frames: Annotated[int, typer.Option(help="Frames a clip, at 25 a second.")] = 48,
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT in px, both even. [default: the dataset's own, 320x240 for ff++]")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    quality: Annotated[
        str | None, typer.Option(help="Compression, c23 or c40. [default: c23; c40 for folder, as another source]")
    ] = None,
    dfd: Annotated[bool, typer.Option("--dfd", help="With ff++: add DeepFakeDetection and its actors.")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes; 0: in this one. [default: all cores]", min=0)] = None,
    json_file: JsonOption = None,
) -> None:
    """Generate a miniature dataset in the tree of the real one: animated portraits and their manipulations.

    For trying things out and for tests; scores on it say nothing about real forgeries. Interrupted, the same
    command goes on where it stood.
    """
    from dataengine.sample import generate

    root = root or Path("data") / name
    pixels = _pixels(size)
    with progress(f"Sample {name}") as advance:
        report = generate(
            name,
            root,
            clips=clips,
            frames=frames,
            size=pixels,
            seed=seed,
            quality=quality,
            dfd=dfd,
            workers=workers,
            on_progress=counted(advance),
        )
    result = summary(report)
    _show(result)
    write_json(json_file, result)


def _pixels(size: str | None) -> tuple[int, int] | None:
    if size is None:
        return None
    match = re.fullmatch(r"(\d+)[xX](\d+)", size)
    if match is None:
        raise typer.BadParameter(f"'{size}' is not WIDTHxHEIGHT, such as 320x240", param_hint="--size")
    return int(match[1]), int(match[2])


def summary(report: SampleReport) -> dict[str, Any]:
    """What `--json` holds."""
    settings = asdict(report.settings)
    return {
        **{key: settings[key] for key in ("name", "clips", "frames", "width", "height", "seed", "quality", "dfd")},
        "root": report.root,
        "real": report.real,
        "fakes": report.fakes,
        "written": report.written,
        "kept": report.kept,
        "bytes": report.bytes,
        "seconds": round(report.seconds, 2),
    }


def _show(result: dict[str, Any]) -> None:
    if not result["written"]:
        console.print(f"{result['root']} is complete already: {result['kept']} videos, nothing to do.")
    else:
        kept = f" ({result['kept']} were there)" if result["kept"] else ""
        console.print(
            Text(result["root"], "bold"),
            f"{result['written'] + result['kept']} videos{kept} of {result['frames']} frames at "
            f"{result['width']}x{result['height']}, {result['bytes'] / 1e6:.1f} MB, {result['seconds']:.0f} s",
            sep=": ",
        )
        made = ", ".join(f"{count} {method}" for method, count in result["fakes"].items())
        console.print(f"{result['real']} real, {made}")
    root, own = result["root"], Path("data") / result["name"]
    quality = f" --quality {result['quality']}" if result["name"] == "ff++" and result["quality"] != "c23" else ""
    console.print(f"next: dfx shard {result['name']}{'' if Path(root) == own else f' --root {root}'}{quality}")
