"""`dfx demo`: three miniature datasets from mp4 files to a cross-dataset matrix, in minutes on two cores."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cli import bench
from cli.console import JsonOption, console, counted, progress, write_json
from cli.termination import terminating
from cli.tune import follow

if TYPE_CHECKING:
    from dataengine.convert import ClipDone


@dataclass(frozen=True, slots=True, kw_only=True)
class Miniature:
    """One dataset of the demo."""

    store: str
    layout: str
    seed: int
    about: str


MINIATURES = (
    Miniature(store="ff++", layout="ff++", seed=0, about="FaceForensics++ in small: real and five methods, c23"),
    Miniature(
        store="elsewhere", layout="folder", seed=1, about="the same five methods, other people, cameras and codec"
    ),
    Miniature(
        store="celeb-df", layout="celeb-df", seed=2, about="Celeb-DF in small: its one method is never trained on"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large the demo is: chosen so that two cores need less than five minutes."""

    clips: int = 36
    """Reals in each dataset; 10 of their identities are the test split, enough for intervals."""
    frames: int = 10
    stored_frames: int = 8
    models: str = "test_resnet,test_efficientnet"
    """timm's two smallest convolutional families: a demonstration of the way, not of what models can do."""
    epochs: int = 8
    size: int = 80
    bench_rounds: int = 3


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("demo"),
    json_file: JsonOption = None,
) -> None:
    """Make three miniature datasets, convert them, measure the loader, sweep losses and backbones, write a report.

    Nothing is fetched. Run again, it goes on where it stood.
    """
    result = run_demo(out, Scale())
    write_json(json_file, result)


def run_demo(out: Path, scale: Scale) -> dict[str, Any]:
    """The whole way from mp4 files to `out`/report.html; what `--json` holds."""
    start = time.perf_counter()
    seconds = {}
    for name, step in (("sample", _sample), ("shard", _shard), ("bench", _bench), ("tune", _tune), ("report", _report)):
        begun = time.perf_counter()
        with terminating("ended by SIGTERM; what is finished is kept: run it again"):
            step(out, scale)
        seconds[name] = round(time.perf_counter() - begun, 1)
    seconds["all"] = round(time.perf_counter() - start, 1)
    _farewell(out, seconds)
    return {"folder": str(out), "report": str(out / "report.html"), "seconds": seconds, "scale": asdict(scale)}


def _heading(title: str, rest: str) -> None:
    console.print(Text(title, "bold"), rest, sep="")


def _sample(out: Path, scale: Scale) -> None:
    from dataengine.sample import generate

    _heading("1  Three miniature datasets", ", generated: no real one may be passed on")
    for mini in MINIATURES:
        with progress(f"   {mini.store}") as advance:
            made = generate(
                mini.layout,
                out / "data" / mini.store,
                clips=scale.clips,
                frames=scale.frames,
                seed=mini.seed,
                on_progress=counted(advance),
            )
        console.print(f"   {made.root}: {made.real} real videos, {made.fake} fakes")
        console.print(f"      {mini.about}", style="dim")


def _shard(out: Path, scale: Scale) -> None:
    from dataengine.convert import convert
    from dataengine.executors import executor_of
    from dataengine.layouts.scan import ScanOptions
    from dataengine.plan import ConvertSettings
    from dataengine.settings import ExtractSettings

    _heading("2  Stores", ": faces found, cropped and written to WebDataset tars")
    settings = ConvertSettings(extract=ExtractSettings(frames=scale.stored_frames), shard_samples=256)
    for mini in MINIATURES:
        with progress(f"   {mini.store}") as advance:

            def on_clip(done: ClipDone) -> None:
                advance(total=done.total)

            made = convert(
                mini.layout,
                out / "data" / mini.store,
                out / "shards" / mini.store,
                settings,
                ScanOptions(name=mini.store if mini.layout == "folder" else ""),
                executor=executor_of(),
                on_clip=on_clip,
            )
        clips = made.store.clips().to_pylist()
        failed = sum(clip["status"] == "failed" for clip in clips)
        missing = sum(clip["faces_missing"] for clip in clips if clip["status"] == "ok")
        console.print(f"   {made.store.root}: {sum(clip['samples'] for clip in clips):,} faces of {len(clips)} clips")
        if failed or missing:
            console.print(f"      {failed} clips failed, {missing} frames left out: no face in them")


def _bench(out: Path, scale: Scale) -> None:
    from dataengine.selection import select
    from dataengine.throughput import Settings, measure

    _heading("3  The loader", ", beside decoding alone, on the same images with the same threads")
    settings = Settings(rounds=scale.bench_rounds, seconds=0.5)
    rows = select([str(out / "shards" / MINIATURES[0].store)])
    with progress("   measuring") as advance:
        report = measure(rows, settings, on_round=lambda name, done, total: advance(note=name, total=total))
    bench.show(report)


def _tune(out: Path, scale: Scale) -> None:
    from trainers.config import TrainConfig
    from tune_spaces.sweep import SweepConfig, sweep

    stores = {mini.store: str(out / "shards" / mini.store) for mini in MINIATURES}
    sources = (stores["ff++"], stores["elsewhere"])
    _heading("4  A sweep", ": two backbones, two losses, two sources; each measured on all three datasets")
    train = {"weights": "none", "epochs": scale.epochs, "size": scale.size, "lr": 3e-3, "batch": 48}
    config = SweepConfig(
        train=TrainConfig.of({"task": "attribution", "data": sources, **train}),
        targets=tuple(stores.values()),
        search="grid",
        models=tuple(scale.models.split(",")),
        gpus_per_trial=0.5,
    )
    folder = out / "sweep"
    with progress("   trials") as advance:
        result = sweep(
            config,
            folder,
            resume=(folder / "sweep.json").exists(),
            on_trial=follow(advance, indent="   "),
            on_said=lambda line: console.print(f"   {line}", style="dim", soft_wrap=True),
        )
    console.print(f"   {len(result.trials)} trials, the best chosen by each source's own validation split")


def _report(out: Path, scale: Scale) -> None:
    from trainers.report.page import build_report

    build_report([], out / "report.html", trials=out / "sweep" / "trials.parquet", title="dfx demo: miniature datasets")


def _farewell(out: Path, seconds: dict[str, float]) -> None:
    spent = ", ".join(f"{name} {taken:.0f} s" for name, taken in seconds.items() if name != "all")
    _heading("\nDone", f" in {seconds['all']:.0f} s ({spent})")
    console.print(f"  report   {out / 'report.html'}", soft_wrap=True)
    console.print(f"  stores   {out / 'shards'}/{{{','.join(mini.store for mini in MINIATURES)}}}", soft_wrap=True)
    console.print(f"  runs     {out / 'sweep' / 'runs'}", soft_wrap=True)
    console.print("\nWith your own data:")
    console.print("  dfx shard ff++ --root ~/data/FaceForensics --out shards/ff++-c23", soft_wrap=True)
    console.print("  dfx train attribution --data shards/ff++-c23 --loss ce+supcon", soft_wrap=True)
    console.print("  dfx tune attribution --gpus N    # N: see `dfx doctor`; 0 is the CPU", soft_wrap=True)
