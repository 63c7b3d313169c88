"""`dfx preview`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.console import console, drawable


def preview(
    store: Annotated[str, typer.Argument(help="A store's folder, or a selection of it.", metavar="STORE")],
    augment: Annotated[
        str,
        typer.Option(
            help="none | flip | crop | forensic | supcon | robustness:KIND:LEVEL (jpeg, blur, noise, scale; 1 to 5) | "
            "a spec ending in .toml.",
            metavar="NAME",
        ),
    ] = "forensic",
    images: Annotated[int, typer.Option(help="Samples, of different methods as far as there are.")] = 4,
    draws: Annotated[int, typer.Option(help="Draws of each; a fixed degradation has one.")] = 5,
    seed: Annotated[int, typer.Option(help="Other samples, and other draws of them.")] = 0,
    size: Annotated[int, typer.Option(help="Height and width of the images in pixels, as in training.")] = 224,
    out: Annotated[
        Path, typer.Option(help="The picture: .png, .pdf or .svg.", metavar="FILE", callback=drawable)
    ] = Path("preview.png"),
) -> None:
    """Show what an augmentation does to a store's samples, with what was drawn under each, as a picture."""
    from dataengine.augment import augment_preset
    from dataengine.preview import draw_preview, shown_samples
    from dataengine.store import select

    chosen = augment_preset(augment)
    samples = shown_samples(select([store]), chosen, images=images, draws=draws, seed=seed, size=size)
    draw_preview(samples, out, title=f"{augment} to {size} px, seed {seed}")
    console.print(f"{len(samples)} samples as evaluated and under {augment}: {out}", soft_wrap=True)
