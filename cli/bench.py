"""`dfx bench`: what this machine does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import JsonOption, console, progress, show_table, write_json

if TYPE_CHECKING:
    from dataengine.throughput import Report


def bench_loader(
    store: Annotated[str, typer.Argument(help="A store's folder, or a selection of it.", metavar="STORE")],
    size: Annotated[int, typer.Option(help="Height and width of the output in pixels.")] = 224,
    batch: Annotated[int, typer.Option(help="Images a batch.")] = 64,
    augment: Annotated[str, typer.Option(help="What is done to each image.")] = "crop",
    threads: Annotated[int | None, typer.Option(help="Threads of every contender; default: all usable CPUs.")] = None,
    seconds: Annotated[float, typer.Option(help="Length of a round of bare decoding; the others take longer.")] = 1.0,
    rounds: Annotated[int, typer.Option(help="Rounds in turn: medians are shown, so that noise cancels out.")] = 5,
    json_file: JsonOption = None,
) -> None:
    """Measure how fast a store is read, decoded and handed to training, beside bare JPEG decoding.

    Every contender goes through the same images with as many threads, in turns, to uint8 batches. The ratio says what
    share of bare decoding speed is left after reading, cropping, scaling, flipping and batching.
    """
    from dataengine.backends.slices import usable_cpus
    from dataengine.store import select
    from dataengine.throughput import Settings, measure

    chosen = Settings(
        size=size,
        batch=batch,
        augment=augment,
        threads=usable_cpus() if threads is None else threads,
        seconds=seconds,
        rounds=rounds,
    )
    with progress("Measuring") as advance:
        report = measure(select([store]), chosen, on_round=lambda name, done, total: advance(note=name, total=total))
    show(report)
    write_json(json_file, report.to_json())


def show(report: Report) -> None:
    """Print a measurement as a table."""
    settings = report.settings
    threads = "1 thread" if settings.threads == 1 else f"{settings.threads} threads"
    title = (
        f"{report.stores[0]}: {report.num_images:,} images a round of {report.mean_bytes / 1024:.0f} KiB, "
        f"{settings.augment} to {settings.size} px, {threads}"
    )
    columns = ["", "images/s", "slowest", "fastest", "ratio", "CPU us", "first s"]
    cells = [
        [
            result.what,
            round(result.images_per_s),
            round(result.low),
            round(result.high),
            f"{result.ratio:.2f}",
            round(result.cpu_us),
            "" if result.first_batch_s is None else f"{result.first_batch_s:.2f}",
        ]
        for result in report.results
    ]
    show_table(title, columns, cells)
    console.print(
        "ratio: to libjpeg-turbo alone, the median of the rounds; CPU us: microseconds of CPU time an image; first s: "
        "seconds from nothing to the first batch",
        highlight=False,
    )
    for name, reason in report.skipped.items():
        console.print(f"not measured: {name} ({reason})", highlight=False)
