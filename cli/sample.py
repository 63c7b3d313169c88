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
    from dataengine.sample import PictureReport, SampleReport


def sample(
    name: Annotated[
        str,
        typer.Argument(
            help="A dataset of `dfx layouts`; folder (class folders, no official splits), manifest (videos and frames "
            "with one CSV file about them), architectures (PNG pictures from generators of four architectures, in "
            "class folders), or images (the same with lists of the splits)."
        ),
    ],
    root: Annotated[Path | None, typer.Option(help="Folder to make it in. [default: data/NAME]")] = None,
    clips: Annotated[
        int | None,
        typer.Option(
            help="Real clips, or pictures for architectures and images; each gets one fake of each method. [default: "
            "16, which make splits of 5, 1 and 2 pairs; 400 pictures]",
            show_default=False,
        ),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(help="Frames a clip, at 25 a second. [default: 48]", show_default=False)
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT in px, both even. [default: the dataset's own, 320x240 for ff++]")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
    quality: Annotated[
        str | None, typer.Option(help="Compression, c23 or c40. [default: c23; c40 for folder, as another source]")
    ] = None,
    dfd: Annotated[bool, typer.Option("--dfd", help="With ff++: add DeepFakeDetection and its actors.")] = False,
    weights_seed: Annotated[
        int | None,
        typer.Option(
            help="With architectures and images: another one gives other weights in the same architectures, and other "
            "people. [default: 0]",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; 0: in this one. [default: all cores]", min=0)] = None,
    json_file: JsonOption = None,
) -> None:
    """Generate a miniature dataset in the tree of the real one: animated portraits and their manipulations.

    For trying things out and for tests; scores on it say nothing about real forgeries. Interrupted, the same
    command goes on where it stood.
    """
    from dataengine.errors import unknown_name
    from dataengine.sample import ARCHITECTURES_NAME, IMAGES_NAME, MINIATURES, generate, generate_architectures

    if name not in (known := (*MINIATURES, ARCHITECTURES_NAME, IMAGES_NAME)):
        raise unknown_name("miniature dataset", name, known)
    root = root or Path("data") / name
    if name in (ARCHITECTURES_NAME, IMAGES_NAME):
        _refuse(name, {"--frames": frames, "--size": size, "--quality": quality, "--dfd": dfd or None})
        with progress(f"Sample {name}") as advance:
            pictures = generate_architectures(
                root,
                name=name,
                **({} if clips is None else {"pictures": clips}),
                seed=seed,
                weights_seed=weights_seed or 0,
                workers=workers,
                on_progress=counted(advance),
            )
        result = picture_summary(pictures)
        _show_pictures(result)
    else:
        _refuse(name, {"--weights-seed": weights_seed})
        pixels = _pixels(size)
        with progress(f"Sample {name}") as advance:
            report = generate(
                name,
                root,
                **({} if clips is None else {"clips": clips}),
                **({} if frames is None else {"frames": frames}),
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


def _refuse(name: str, options: dict[str, object]) -> None:
    """An option that this dataset has none of is not passed over."""
    for option, value in options.items():
        if value is not None:
            raise typer.BadParameter(f"{name} has no {option[2:]}; leave {option} out", param_hint=option)


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
        "fake": report.fake,
        "media": report.media,
        "written": report.written,
        "kept": report.kept,
        "bytes": report.bytes,
        "seconds": round(report.seconds, 2),
    }


def picture_summary(report: PictureReport) -> dict[str, Any]:
    """What `--json` holds for architectures."""
    settings = asdict(report.settings)
    return {
        **{key: settings[key] for key in ("name", "pictures", "seed", "weights_seed")},
        **{key: getattr(report, key) for key in ("root", "classes", "written", "kept", "bytes")},
        "seconds": round(report.seconds, 2),
    }


def _show_pictures(result: dict[str, Any]) -> None:
    root = result["root"]
    if not result["written"]:
        console.print(f"{root} is complete already: {result['kept']} pictures, nothing to do.")
    else:
        kept = f" ({result['kept']} were there)" if result["kept"] else ""
        console.print(
            Text(root, "bold"),
            f"{result['written'] + result['kept']} pictures{kept}, {result['pictures']} of each of "
            f"{', '.join(result['classes'])}, {result['bytes'] / 1e6:.1f} MB, {result['seconds']:.0f} s",
            sep=": ",
        )
    own = Path(root) == Path("data") / result["name"]
    listed = f"dfx shard images{'' if own else f' --root {root}'}"
    how = listed if result["name"] == "images" else f"dfx shard folder --root {root} --faces none"
    console.print(f"next: {how}", soft_wrap=True)


def _show(result: dict[str, Any]) -> None:
    if not result["written"]:
        console.print(f"{result['root']} is complete already: {result['kept']} clips, nothing to do.")
    else:
        kept = f" ({result['kept']} were there)" if result["kept"] else ""
        media = ", ".join(f"{count} {kind}" for kind, count in result["media"].items())
        console.print(
            Text(result["root"], "bold"),
            f"{result['real']} real and {result['fake']} fake clips{kept} in {media}, of up to {result['frames']} "
            f"frames at {result['width']}x{result['height']}, {result['bytes'] / 1e6:.1f} MB, "
            f"{result['seconds']:.0f} s",
            sep=": ",
            soft_wrap=True,
        )
    root, own = result["root"], Path("data") / result["name"]
    quality = f" --quality {result['quality']}" if result["name"] == "ff++" and result["quality"] != "c23" else ""
    if result["name"] == "manifest":
        console.print(f"next: dfx shard manifest {Path(root) / 'manifest.csv'}", soft_wrap=True)
        return
    console.print(f"next: dfx shard {result['name']}{'' if Path(root) == own else f' --root {root}'}{quality}")
