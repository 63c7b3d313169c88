"""One chart of what was measured on a GPU, and the README's table: from the `gpu-*.json` files of a folder.

What has no figure says "not measured", in the chart as in the table.

python -m benchmarks.gpu.figure [FOLDER] [--out FILE.png]
"""

from __future__ import annotations

import argparse
import statistics
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gpu.panel import BLUE, ORANGE, PEER, head, legend, missing, names, plain
from benchmarks.gpu.results import (
    NOT_MEASURED,
    SHOWN,
    Told,
    conversions,
    demos,
    loader_goals,
    loaders,
    read,
    totals,
    trainings,
)
from benchmarks.gpu.table import short, table
from benchmarks.loader import RESULTS
from dataengine.drawing import COLOURS, INK, MUTED, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEP_COLOURS = dict(zip(("sample", "shard", "bench", "tune", "report"), (*COLOURS[3:6], BLUE, COLOURS[2]), strict=True))
WIDTH, HEIGHT = 11.0, 8.6


def save(records: Mapping[str, Told], path: Path) -> None:
    """Write the chart."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT), facecolor="white")
        upper = figure.add_gridspec(1, 2, left=0.165, right=0.98, top=0.855, bottom=0.53, wspace=0.38)
        lower = figure.add_gridspec(1, 3, left=0.06, right=0.98, top=0.4, bottom=0.13, wspace=0.25)
        places = [*(upper[0, n] for n in range(2)), *(lower[0, n] for n in range(3))]
        for name, place in zip(SHOWN, places, strict=True):
            axes = figure.add_subplot(place)
            DRAWN[name](axes, records.get(name))
        figure.text(0.02, 0.985, _title(records), size=15, weight="bold", va="top")
        figure.text(
            0.02,
            0.945,
            "Each panel is one run, its contenders in turn; higher is better, but for the demo",
            color=MUTED,
            va="top",
        )
        figure.text(0.02, 0.015, _caption(records), size=7.5, color=MUTED, va="bottom", linespacing=1.4)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=170)


def draw_loader(axes: Axes, told: Told | None) -> None:
    """Bars, fastest on top; the ceiling is a line."""
    bars = loaders(told)
    of = f", {told['settings']['size']} px, batches of {told['settings']['batch']}" if told else ""
    head(axes, f"Loader: images per second{of}", "".join(loader_goals(told)[-1:]) if told else "")
    ranked = [bar for bar in bars if bar.kind != "ceiling"]
    if not ranked:
        missing(axes, told)
        return
    widest = max(bar.images_per_s for bar in bars)
    for place, bar in enumerate(ranked):
        ours = bar.kind == "dfx"
        axes.barh(place, bar.images_per_s, height=0.68, color=BLUE if ours else PEER, zorder=2)
        inside = bar.images_per_s > widest / 2  # clear of the ceiling's line
        axes.text(
            bar.images_per_s + widest * (-0.015 if inside else 0.015),
            place,
            f"{bar.images_per_s:,.0f}",
            va="center",
            ha="right" if inside else "left",
            color="white" if ours and inside else INK,
            weight="bold" if ours else "normal",
            size=8.5,
        )
    for bar in bars:
        if bar.kind == "ceiling":
            axes.axvline(bar.images_per_s, color=ORANGE, linewidth=1.4, zorder=1.8)
            text = f"{bar.label}: {bar.images_per_s:,.0f} "
            axes.text(bar.images_per_s, len(ranked) - 0.5, text, color=ORANGE, ha="right", va="bottom", size=8)
    axes.set_xlim(0, widest * 1.15)
    axes.set_ylim(-0.6, len(ranked))
    names(axes, [bar.label for bar in ranked], [bar.kind == "dfx" for bar in ranked])


def draw_training(axes: Axes, told: Told | None) -> None:
    """A pair of bars for each network: fed by the loader, and on cached batches; with what the input costs."""
    rows = trainings(told)[::-1]
    head(axes, "Training: images per second", "bfloat16; in % of a step: waiting for input, and idle")
    if not rows:
        missing(axes, told)
        return
    widest = max(max(row["images_per_s_cached"], row["images_per_s"]) for row in rows)
    for place, row in enumerate(rows):
        axes.barh(place + 0.19, row["images_per_s"], height=0.36, color=BLUE, zorder=2)
        axes.barh(place - 0.19, row["images_per_s_cached"], height=0.36, color=PEER, zorder=2)
        axes.text(
            max(row["images_per_s"], row["images_per_s_cached"]) + widest * 0.015,
            place,
            f"{row['images_per_s']:,.0f} · {100 * row['host_wait']:.1f} %, {100 * row['idle']:.1f} %",
            va="center",
            size=7.5,
        )
    axes.set_xlim(0, widest * 1.42)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    names(axes, [short(row["model"]) + (", compiled" if row["compile"] else "") for row in rows])
    legend(axes, {"fed by the loader": BLUE, "cached batches": PEER}, loc="lower right")


def draw_sharing(axes: Axes, told: Told | None) -> None:
    """A line for each network: images/s together against the number of trainings."""
    found = totals(told)
    head(axes, "Trainings on one GPU", "images per second together")
    if not found:
        missing(axes, told)
        return
    counts = sorted({count for by_count in found.values() for count in by_count})
    for colour, by_count in zip(COLOURS, found.values(), strict=False):
        axes.plot(list(by_count), list(by_count.values()), "o-", color=colour, linewidth=2, markersize=5, zorder=2)
        for count, images_per_s in by_count.items():
            axes.annotate(
                f"{images_per_s:,.0f}", (count, images_per_s), (0, 7), textcoords="offset points", ha="center", size=7.5
            )
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [f"{count}" for count in counts])
    axes.set_xlim(counts[0] / 1.3, counts[-1] * 1.3)
    axes.set_ylim(0, 1.35 * max(max(by_count.values()) for by_count in found.values()))
    axes.set_xlabel("trainings at once", color=MUTED)
    plain(axes, "y")
    legend(axes, {short(model): colour for colour, model in zip(COLOURS, found, strict=False)}, loc="upper left")


def draw_video(axes: Axes, told: Told | None) -> None:
    """A pair of bars for each kind of faces and number of workers: NVDEC beside PyAV."""
    found = conversions(told)
    clip = f"; {told['settings']['frames']} frames at {'x'.join(map(str, told['settings']['size']))}" if told else ""
    head(axes, "Conversion of videos", f"clips per second{clip}")
    rates = [rate for by_decoder in found.values() for rate in by_decoder.values()]
    if not rates:
        missing(axes, told)
        return
    highest = max(rates)
    groups = list(dict.fromkeys(faces for faces, _ in found))
    at = {(faces, workers): number + 0.6 * groups.index(faces) for number, (faces, workers) in enumerate(found)}
    for key, by_decoder in found.items():
        for shift, decoder, colour in ((-0.21, "nvdec", BLUE), (0.21, "cpu", PEER)):
            rate = by_decoder.get(decoder, 0.0)
            axes.bar(at[key] + shift, rate, width=0.4, color=colour, zorder=2)
            said = (f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}") if rate else NOT_MEASURED
            axes.text(
                at[key] + shift,
                rate + highest * 0.015,
                said,
                ha="center",
                va="bottom",
                size=7,
                color=INK if rate else MUTED,
                rotation=0 if rate else 90,
            )
    axes.set_xticks(list(at.values()), [f"{workers}" for _, workers in at])
    for faces in groups:
        middle = statistics.mean(place for (of, _), place in at.items() if of == faces)
        text = {"track": "faces followed", "none": "whole frames"}[faces]
        axes.annotate(text, (middle, 0), (0, -17), textcoords="offset points", ha="center", va="top", size=8)
    axes.set_xlabel("workers", color=MUTED, labelpad=14)
    axes.set_ylim(0, highest * 1.35)
    plain(axes, "y")
    legend(axes, {"NVDEC": BLUE, "PyAV": PEER}, loc="upper left")


def draw_demo(axes: Axes, told: Told | None) -> None:
    """A bar of seconds by step for each of GPU and CPU."""
    found = demos(told)
    head(axes, "dfx demo", "seconds, by step")
    if not found:
        missing(axes, told)
        return
    longest = max(seconds["all"] for seconds in found.values())
    places = {"cuda": "with the GPU", "cpu": "GPU hidden"}
    for place, on in enumerate(places):
        left = 0.0
        for step, colour in STEP_COLOURS.items():
            taken = found.get(on, {}).get(step, 0.0)
            axes.barh(1 - place, taken, left=left, height=0.5, color=colour, zorder=2)
            left += taken
        said = f"{found[on]['all']:,.0f} s" if on in found else NOT_MEASURED
        axes.text(left + longest * 0.02, 1 - place, said, va="center", weight="bold" if on in found else "normal")
    axes.set_xlim(0, longest * 1.25)
    axes.set_ylim(-0.9, 1.5)
    plain(axes, "x")
    axes.set_yticks([])
    for place, label in enumerate(places.values()):
        axes.text(0, 1 - place + 0.3, label, va="bottom", size=8.5)
    legend(axes, STEP_COLOURS, loc="lower center", ncols=len(STEP_COLOURS))


DRAWN = dict(zip(SHOWN, (draw_loader, draw_training, draw_sharing, draw_video, draw_demo), strict=True))


def _title(records: Mapping[str, Told]) -> str:
    if any(told["device"] == "cpu" for told in records.values()):
        return "The scripts tried on a CPU: no figure is a GPU's"
    gpus = {gpu for told in records.values() for gpu in told["machine"]["gpus"][:1]}
    return f"dfx on {', '.join(sorted(gpus)) or 'a GPU: not measured'}"


def _caption(records: Mapping[str, Told]) -> str:
    if not records:
        return ""
    told = next(iter(records.values()))["machine"]
    words = (
        f"{told['processor']}, {told['usable_cpus']} CPUs; driver {told['driver']}, CUDA {told['cuda']}, Python "
        f"{told['python']}, torch {told['versions']['torch']}, DALI {told['versions']['nvidia-dali-cuda130']}. What "
        "each figure is, and how to measure it: docs/gpu.md."
    )
    return "\n".join(textwrap.wrap(words, 170))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=RESULTS, help="of gpu-*.json (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="the chart (default: FOLDER/gpu.png)")
    options = parser.parse_args()
    records = read(options.folder)
    out = options.out or options.folder / "gpu.png"
    save(records, out)
    print(table(records))
    print(f"\nchart: {out}")


if __name__ == "__main__":
    main()
