"""`dfx bench`: what this machine does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import JsonOption, console, drawable, progress, show_table, write_json
from dataengine.errors import unknown_name

if TYPE_CHECKING:
    from dataengine.throughput import Contender, Report


def bench_loader(
    store: Annotated[str, typer.Argument(help="A store's folder, or a selection of it.", metavar="STORE")],
    size: Annotated[int, typer.Option(help="Height and width of the output in pixels.")] = 224,
    batch: Annotated[int, typer.Option(help="Images a batch.")] = 64,
    augment: Annotated[str, typer.Option(help="What is done to each image.")] = "crop",
    threads: Annotated[int | None, typer.Option(help="Threads of every contender; default: all usable CPUs.")] = None,
    seconds: Annotated[float, typer.Option(help="Length of a round of bare decoding; the others take longer.")] = 1.0,
    rounds: Annotated[int, typer.Option(help="Rounds in turn: medians are shown, so that noise cancels out.")] = 5,
    peers: Annotated[bool, typer.Option("--peers/--no-peers", help="Other loaders too, as far as installed.")] = True,
    only: Annotated[
        str | None,
        typer.Option(
            help="These alone: cpu, dali_cpu, dali_gpu, torchvision, webdataset_pil, webdataset_turbo, litdata, "
            "mosaic, spdl, ffcv, torchvision_gpu, dali_native_cpu, dali_native_gpu.",
            metavar="NAME,NAME",
        ),
    ] = None,
    chart: Annotated[Path | None, typer.Option(help="Also draw the result.", metavar="PNG", callback=drawable)] = None,
    json_file: JsonOption = None,
) -> None:
    """Measure how fast a store is read, decoded and handed to training, beside other loaders and bare JPEG decoding.

    Every contender goes through the same images with as many threads, or worker processes, in turns, to uint8
    batches. The ratio says what share of bare decoding speed is left after reading, cropping, scaling, flipping and
    batching.
    """
    from dataengine.backends.slices import usable_cpus
    from dataengine.selection import select
    from dataengine.throughput import Settings, measure
    from dataengine.throughput.chart import save_chart

    chosen = Settings(
        size=size,
        batch=batch,
        augment=augment,
        threads=usable_cpus() if threads is None else threads,
        seconds=seconds,
        rounds=rounds,
    )
    contenders = _contenders(peers, only)
    with progress("Measuring") as advance:
        report = measure(
            select([store]),
            chosen,
            contenders=contenders,
            on_ready=lambda what: advance(0, note=f"getting ready: {what}"),
            on_round=lambda name, done, total: advance(note=name, total=total),
        )
    show(report)
    write_json(json_file, report.to_json())
    if chart:
        save_chart(report, chart)


def _contenders(peers: bool, only: str | None) -> list[Contender]:
    from dataengine.throughput import OWN, PEERS

    entered = {one.name: one for one in (*OWN, *(PEERS if peers else ()))}
    if only is None:
        return list(entered.values())
    names = [name.strip() for name in only.split(",")]
    for name in names:
        if name not in entered:
            raise unknown_name("contender", name, entered)
    return [one for name, one in entered.items() if name in names]


def show(report: Report) -> None:
    """Print a measurement as a table."""
    from dataengine.refs import parse_ref
    from dataengine.throughput.records import READING

    settings = report.settings
    threads = "1 thread" if settings.threads == 1 else f"{settings.threads} threads"
    store = parse_ref(report.stores[0]).shown
    title = (
        f"{store}: {report.num_images:,} images a round, each of {report.mean_bytes / 1024:.0f} KiB on average, "
        f"{settings.augment} to {settings.size} px, {threads}"
    )
    columns = ["", "images/s", "slowest", "fastest", "ratio", "dfx is", "CPU us", "first s"]
    cells = [
        [
            result.what,
            round(result.images_per_s),
            round(result.low),
            round(result.high),
            f"{result.ratio:.2f}",
            "" if result.ours is None or result.name == READING else f"{result.ours:.2f}x",
            round(result.cpu_us),
            "" if result.first_batch_s is None else f"{result.first_batch_s:.2f}",
        ]
        for result in sorted(report.results, key=lambda result: -result.images_per_s)
    ]
    show_table(title, columns, cells)
    console.print(
        "ratio: to libjpeg-turbo alone, the median of the rounds; "
        "dfx is: the speed of dfx, cpu as a multiple of this one's; "
        "CPU us: microseconds of CPU time an image; first s: seconds from nothing to the first batch",
        highlight=False,
    )
    for name, reason in report.skipped.items():
        console.print(f"not measured: {name} ({reason})", highlight=False)
