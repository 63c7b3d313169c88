"""`dfx export`: a run's model, or a store's images, for programs without dfx."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.console import JsonOption, console, write_json
from cli.export_store import export_store, is_store
from dataengine.errors import DfxError


def export(
    what: Annotated[
        str, typer.Argument(help="A finished run, such as runs/NAME; or a store's folder or URL.", metavar="RUN|STORE")
    ],
    format: Annotated[
        str | None, typer.Option(help="Of a run: onnx (needs the extra 'export') | torchscript.", show_default="onnx")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A run's file, or the new folder of a store's images.",
            metavar="PATH",
            show_default="of a run: model.onnx or model.torchscript in it",
        ),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Write a run's model as one file that takes batches of any size and gives probabilities.

    The file names its classes and what its images have to be. Before it is written, its probabilities are compared with
    the run's own on noise and on images of the validation split; one that differs is refused.

    Of a store: write its images, their bytes untouched, into folders split/method/clip, and index.csv with what the
    store knows of each.
    """
    if is_store(what):
        if format is not None:
            raise DfxError(f"{what} is a store, and --format is for runs; leave it out")
        export_store(what, out, json_file)
    elif not Path(what).exists():
        raise DfxError(f"there is neither a run nor a store at {what}; check the path")
    else:
        _export_run(Path(what), out, format or "onnx", json_file)


def _export_run(run: Path, out: Path | None, format: str, json_file: Path | None) -> None:
    from trainers.inference.export import INPUT, OUTPUT, SUFFIX, facts
    from trainers.inference.export import export as export_run
    from trainers.run import open_run

    opened = open_run(run)
    done = export_run(opened, out or opened.path / f"model{SUFFIX.get(format, '')}", format=format)
    about = facts(opened)
    size, classes = about["input_size"], about["classes"]
    mean, std = (" ".join(f"{value:g}" for value in about[name]) for name in ("mean", "std"))
    others = f"{done.num_real} of its validation split" if done.num_real else "no others: its stores are not there"
    lines = (
        f"{done.path}: {done.path.stat().st_size / 1e6:.1f} MB",
        f"in:  {INPUT}, float32 (N, 3, {size}, {size}), RGB in [0, 1], less {mean}, over {std}",
        f"out: {OUTPUT}, float32 (N, {len(classes)}): {', '.join(classes)}",
        f"differs from the run by at most {done.difference:.1e}, on {done.num_random} images of noise and {others}",
    )
    for line in lines:
        console.print(line, soft_wrap=True)
    write_json(json_file, {**asdict(done), "path": str(done.path), **about})
