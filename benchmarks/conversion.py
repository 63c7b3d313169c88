"""What a conversion costs as it grows: 10, 100 and 1,000 clips, one worker and two, and the memory of each process.

Miniature videos are made once and stand in the tree under many names. Each row is `dfx shard` in a fresh process, its
start and the merge of the tables included; the rows of one size alternate between the numbers of workers, and their
median counts. Memory is the high-water mark of the driver and of its largest worker, from /proc (Linux). One more row
is a single long clip at 1920x1080, with every face that is in it.

python -m benchmarks.conversion [--clips 10 100 1000] [--workers 1 2] [--rounds 3] [--json FILE] [--figure FILE.png]
python -m benchmarks.conversion --measured FILE.json --figure FILE.png
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataengine.drawing import COLOURS, FAINT, INK, MUTED, STYLE
from dataengine.sample import generate
from dataengine.sample.encode import encode
from dataengine.sample.footage import draw_take, film, render
from dataengine.sample.identity import draw_face, generator
from dataengine.sample.styles import STYLES
from dataengine.throughput.machine import machine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).parents[1]
CLASSES = ("real", "Deepfakes", "Face2Face", "FaceSwap")
LONG_SIZE, LONG_FRAMES, LONG_REPEATS = (1920, 1080), 25, 24
POLL_S = 0.05


def make_tree(root: Path, videos: list[Path], clips: int) -> None:
    """Class folders of so many clips, each of another identity: the videos in turn, under new names."""
    for number, video in zip(range(clips), cycle(videos), strict=False):
        path = root / CLASSES[number % len(CLASSES)] / f"p{number:05d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(video, path)


def make_long(root: Path) -> None:
    """One clip of 600 frames at 1920x1080: a portrait in motion, again and again."""
    style, random = STYLES["ff++"], generator("benchmark", "long")
    footage = film(draw_take(draw_face("benchmark", "long"), style, LONG_SIZE, LONG_FRAMES, random), style, random)
    frames = [render(footage, k) for k in range(LONG_FRAMES)]
    path = root / "real" / "long.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(encode((frame for _ in range(LONG_REPEATS) for frame in frames), LONG_SIZE, crf=23, fps=25))


def converted(tree: Path, out: Path, workers: int, *options: str) -> dict[str, float]:
    """Seconds of one `dfx shard`, and peak MB of its driver and of its largest worker."""
    command = [sys.executable, "-c", "from cli.main import main; main()", "shard", "folder", "--root", str(tree)]
    words = [*command, "--out", str(out), "--workers", str(workers), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    peaks: dict[int, float] = {}
    while process.poll() is None:
        for pid in (process.pid, *children(process.pid)):
            peaks[pid] = max(peaks.get(pid, 0.0), peak_mb(pid))
        time.sleep(POLL_S)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} failed with exit code {process.returncode}")
    others = [peak for pid, peak in peaks.items() if pid != process.pid]
    return {"seconds": seconds, "driver_mb": peaks[process.pid], "worker_mb": max(others, default=0.0)}


def children(pid: int) -> list[int]:
    """The processes that a process has started, at any depth."""
    try:
        own = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [inner for child in map(int, own) for inner in (child, *children(child))]


def peak_mb(pid: int) -> float:
    """The high-water mark of a process's resident memory, in MB; 0 where it has ended."""
    try:
        kb = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(kb[1]) * 1024 / 1e6 if kb else 0.0


def measure(folder: Path, sizes: list[int], workers: list[int], rounds: int) -> list[dict[str, Any]]:
    """One row for each number of clips and workers: medians of the seconds, the largest of the peaks."""
    made = folder / "videos"
    generate("folder", made, clips=6, frames=48)
    videos = sorted(made.glob("*/*.mp4"))
    rows = []
    for size in sizes:
        tree = folder / f"tree-{size}"
        make_tree(tree, videos, size)
        found: dict[int, list[dict[str, float]]] = {count: [] for count in workers}
        for number in range(rounds if size < 1000 else 1):
            for count in workers if number % 2 == 0 else reversed(workers):
                found[count].append(converted(tree, folder / f"store-{size}-{count}-{number}", count))
                print(size, "clips,", count, "workers:", found[count][-1], flush=True)
        rows += [row(size, count, found[count]) for count in workers]
    long = folder / "tree-long"
    make_long(long)
    found_long = converted(long, folder / "store-long", 1, "--faces", "all")
    rows.append({**row(1, 1, [found_long]), "clip": "1920x1080, 24 s"})
    return rows


def row(clips: int, workers: int, runs: list[dict[str, float]]) -> dict[str, Any]:
    seconds = statistics.median(run["seconds"] for run in runs)
    return {
        "clips": clips,
        "clip": "352x288, 1.9 s",
        "workers": workers,
        "rounds": len(runs),
        "seconds": round(seconds, 2),
        "clips_per_s": round(clips / seconds, 2),
        **{key: round(max(run[key] for run in runs)) for key in ("driver_mb", "worker_mb")},
    }


def draw(rows: list[dict[str, Any]], file: Path) -> None:
    """Seconds against clips, a line for each number of workers; and peak memory, a bar for each kind of process."""
    import matplotlib.pyplot as plt

    grown = [one for one in rows if "352" in one["clip"]]
    sizes, counts = (sorted({one[name] for one in grown}) for name in ("clips", "workers"))
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
        title = f"Converting {sizes[0]:,} to {sizes[-1]:,} clips ({grown[0]['clip'].replace('x', ' × ')} each)"
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, weight="bold")
        for colour, count in zip(COLOURS, counts, strict=False):
            of = [one for one in grown if one["workers"] == count]
            label = f"{count} worker{'s' if count > 1 else ''}"
            left.plot([one["clips"] for one in of], [one["seconds"] for one in of], "o-", color=colour, label=label)
        left.set(xscale="log", yscale="log", xlabel="clips", ylabel="seconds")
        left.set_xticks(sizes)
        left.minorticks_off()
        left.xaxis.set_major_formatter(_number)
        left.yaxis.set_major_formatter(_number)
        left.set_title("Time, start-up included", loc="left")
        _memory(right, grown, sizes, counts)
        for axes in (left, right):
            axes.grid(axis="y", color=FAINT, linewidth=0.5)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(framealpha=1, edgecolor="none", fontsize=8, labelcolor=INK)
        figure.savefig(file, dpi=150)
        plt.close(figure)


def _memory(axes: Axes, grown: list[dict[str, Any]], sizes: list[int], counts: list[int]) -> None:
    """Bars side by side, since the processes' peaks lie so near each other that lines would hide one another."""
    kinds = [(count, kind) for count in counts for kind in ("worker", "driver")]
    width = 0.86 / len(kinds)
    for number, (count, kind) in enumerate(kinds):
        colour = COLOURS[counts.index(count)]
        of = {one["clips"]: one[f"{kind}_mb"] for one in grown if one["workers"] == count}
        name = "the worker" if count == 1 else f"the largest of {count} workers"
        bars = axes.bar(
            [place + (number - (len(kinds) - 1) / 2) * width for place in range(len(sizes))],
            [of[size] for size in sizes],
            0.9 * width,
            color=colour if kind == "worker" else "white",
            edgecolor=colour,
            label=name if kind == "worker" else f"{'its' if count == 1 else 'their'} driver",
        )
        axes.bar_label(bars, fmt="{:,.0f}", fontsize=6.5, padding=1.5, color=MUTED)
    axes.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
    axes.set(xlabel="clips", ylabel="MB", ylim=(0, 1700))
    axes.yaxis.set_major_formatter(_number)
    axes.axhline(1500, color=MUTED, linewidth=1, linestyle="--")
    axes.annotate("what a worker may take at most", (-0.45, 1520), color=MUTED, fontsize=8)
    axes.set_title("Peak resident memory of a process", loc="left")


def _number(value: float, _: int) -> str:
    """What an axis calls a value: no powers of ten."""
    return f"{value:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3, help="of sizes below 1,000 clips")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--measured", type=Path, metavar="FILE.json", help="draw this result, and measure nothing")
    parser.add_argument("--figure", type=Path, metavar="FILE.png")
    options = parser.parse_args()
    if options.measured:
        if not options.figure:
            parser.error("--measured is drawn: name a --figure")
        draw(json.loads(options.measured.read_text())["rows"], options.figure)
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), options.clips, options.workers, options.rounds)
    for one in rows:
        print("  ".join(f"{name} {value}" for name, value in one.items()))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n")
    if options.figure:
        draw(rows, options.figure)


if __name__ == "__main__":
    main()
