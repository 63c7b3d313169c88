"""`dfx import`: weights that other programs wrote, as finished runs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cli.console import JsonOption, console, write_json


def import_mesonet(
    file: Annotated[Path, typer.Argument(help="Keras weights (HDF5), such as Meso4_DF.h5.")],
    out: Annotated[Path, typer.Option(help="The run's folder, such as runs/mesonet-df.")],
    json_file: JsonOption = None,
) -> None:
    """Make a finished run of MesoNet weights that Keras wrote: MesoNet-4 or MesoInception-4, told from the shapes.

    The authors publish such files with their code, for Deepfakes and for Face2Face (weights/ of DariusAf/MesoNet).
    Such a run has no source and no threshold of its own: what depends on them is undefined in `dfx eval`.
    """
    from trainers import imported

    run = imported.import_mesonet(file, out)
    model = run.config["model"]
    console.print(f"{model['name']}, {model['params']:,} parameters, from {file.name}", soft_wrap=True)
    console.print(f"run: {run.path}", soft_wrap=True)
    console.print(f"next: dfx eval {shlex.quote(str(run.path))} --on STORE", soft_wrap=True)
    write_json(json_file, {"run": str(run.path), **run.config["imported"], **model})
