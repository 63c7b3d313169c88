"""`dfx preview`: a store as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.console import console, drawable
from dataengine.errors import DfxError


def preview(
    store: Annotated[str, typer.Argument(help="A store's folder or URL, or a selection of it.", metavar="STORE")],
    clip: Annotated[
        str,
        typer.Option(
            help="Show this clip over time; the end of its name is enough where no other ends so.", metavar="CLIP"
        ),
    ] = "",
    augment: Annotated[
        str,
        typer.Option(
            help="Show what an augmentation does: none | flip | crop | forensic | supcon | robustness:KIND:LEVEL "
            "(jpeg, blur, noise, scale; 1 to 5) | a spec ending in .toml.",
            metavar="NAME",
        ),
    ] = "",
    images: Annotated[
        int | None,
        typer.Option(help="Samples: of each method [6]; frames of a clip [all]; with --augment, in all [4]."),
    ] = None,
    draws: Annotated[int | None, typer.Option(help="With --augment: draws of each; a fixed one has one. [5]")] = None,
    seed: Annotated[int, typer.Option(help="Other samples, and other draws of them.")] = 0,
    size: Annotated[
        int | None, typer.Option(help="With --augment: height and width in pixels, as in training. [224]")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="The picture: .png, .pdf or .svg.", metavar="FILE", callback=drawable)
    ] = Path("preview.png"),
) -> None:
    """Show a store as a picture: samples of each method, one clip over time, or what an augmentation does."""
    if clip and augment:
        raise DfxError("--clip and --augment are two pictures; ask for one at a time")
    if not augment and (draws is not None or size is not None):
        raise DfxError("--draws and --size are of the picture of an augmentation; name one with --augment")
    if augment:
        _draw_augmented(store, augment, images, draws, seed, size, out)
    elif clip:
        _draw_clip(store, clip, images, out)
    else:
        _draw_methods(store, images, seed, out)


def _draw_methods(store: str, images: int | None, seed: int, out: Path) -> None:
    from dataengine.preview import draw_sheet, method_strips
    from dataengine.selection import select
    from dataengine.store import parse_ref

    strips = method_strips(select([store]), images=6 if images is None else images, seed=seed)
    draw_sheet(strips, out, title=parse_ref(store).shown)
    console.print(
        f"{sum(len(strip.pictures) for strip in strips)} samples of {len(strips)} methods: {out}", soft_wrap=True
    )


def _draw_clip(store: str, clip: str, images: int | None, out: Path) -> None:
    from dataengine.preview import clip_named, clip_strips, draw_sheet
    from dataengine.store import open_store, parse_ref

    if parse_ref(store).where:
        raise DfxError(f"'{store}' is a selection; --clip shows a whole clip: leave out what follows the '@'")
    clip = clip_named(open_store(store), clip)
    strips = clip_strips(store, clip, images=images)
    draw_sheet(strips, out, title=clip)
    console.print(f"{sum(len(strip.pictures) for strip in strips)} frames of {clip}: {out}", soft_wrap=True)


def _draw_augmented(
    store: str, augment: str, images: int | None, draws: int | None, seed: int, size: int | None, out: Path
) -> None:
    from dataengine.augment import augment_preset
    from dataengine.preview import draw_preview, shown_samples
    from dataengine.selection import select

    chosen = augment_preset(augment)
    given = {"images": images, "draws": draws, "size": size}
    asked = {name: value for name, value in given.items() if value is not None}
    samples = shown_samples(select([store]), chosen, seed=seed, **asked)
    draw_preview(samples, out, title=f"{augment} to {samples[0].plain.shape[0]} px, seed {seed}")
    console.print(f"{len(samples)} samples as evaluated and under {augment}: {out}", soft_wrap=True)
