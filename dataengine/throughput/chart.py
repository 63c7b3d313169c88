"""A measurement as a bar chart."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dataengine.drawing import COLOURS, INK, MUTED, STYLE
from dataengine.errors import DfxError
from dataengine.throughput.contenders import OWN
from dataengine.throughput.records import READING, REFERENCE, Report, Result

_OURS, _PEER, _LINE = COLOURS[0], "#b4bcc6", COLOURS[1]
_STYLE = {**STYLE, "font.size": 10}
_WIDTH, _BAR, _FRAME = 9.6, 0.44, 1.75  # inches: the figure's width, a bar's height with its gap, all above and below
_NOT_RANKED = (READING, REFERENCE)  # bounds: reading is off the scale, decoding is the line


def save_chart(report: Report, path: Path) -> None:
    """Write a PNG (or what else `path` ends in) of images/s, fastest first, with bare decoding as the line.

    Raises DfxError where it cannot be written.
    """
    ranked = sorted(
        (result for result in report.results if result.name not in _NOT_RANKED), key=lambda result: result.images_per_s
    )
    bare = next(result for result in report.results if result.name == REFERENCE)
    with matplotlib.rc_context(_STYLE):
        height = _FRAME + _BAR * max(2, len(ranked))
        figure = Figure(figsize=(_WIDTH, height), facecolor="white")
        axes = figure.add_axes((0.245, 0.92 / height, 0.725, (height - _FRAME) / height))
        _bars(axes, ranked, bare)
        left = 0.02
        figure.text(left, 1 - 0.16 / height, "Images per second, ready for training", size=14, weight="bold", va="top")
        figure.text(left, 1 - 0.45 / height, _what(report), color=MUTED, va="top")
        figure.text(left, 0.1 / height, _caption(report), size=8, color=MUTED, va="bottom", linespacing=1.4)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=200)
        except (OSError, ValueError) as error:
            raise DfxError(f"{path} cannot be written ({error}); name another file, such as loader.png") from None


def _bars(axes: Axes, ranked: Sequence[Result], bare: Result) -> None:
    own = {one.name for one in OWN}
    widest = max([bare.high, *(result.high for result in ranked)])
    axes.set_xlim(0, widest * 1.25)
    for place, result in enumerate(ranked):
        ours = result.name in own
        axes.barh(place, result.images_per_s, height=0.68, color=_OURS if ours else _PEER, zorder=2)
        axes.plot([result.low, result.high], [place, place], color=INK, linewidth=1, zorder=3, solid_capstyle="butt")
        label = axes.text(
            max(result.images_per_s, result.high) + widest * 0.012,
            place,
            f"{result.images_per_s:,.0f}  ·  {result.ratio:.2f}×",
            va="center",
            weight="bold" if ours else "normal",
            zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2},
        )
        span = label.get_window_extent().transformed(axes.transData.inverted())
        if span.x0 <= bare.images_per_s <= span.x1:
            label.set_x(bare.images_per_s + widest * 0.012)
    axes.axvline(bare.images_per_s, color=_LINE, linewidth=1.4, zorder=1.8)
    axes.text(
        bare.images_per_s,
        len(ranked) - 0.45,
        f"libjpeg-turbo alone: {bare.images_per_s:,.0f}",
        color=_LINE,
        ha="right" if bare.images_per_s > widest / 2 else "left",
        va="bottom",
    )
    axes.set_ylim(-0.6, len(ranked) - 0.4)
    axes.set_yticks(range(len(ranked)), [result.what for result in ranked])
    for name, result in zip(axes.get_yticklabels(), ranked, strict=True):
        name.set_fontweight("bold" if result.name in own else "normal")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(axis="x", color="#e6e9ec", zorder=0)
    axes.tick_params(length=0, labelcolor=INK)
    axes.tick_params(axis="x", labelcolor=MUTED, labelsize=9)
    axes.spines[:].set_visible(False)


def _what(report: Report) -> str:
    settings = report.settings
    threads = "1 thread or process" if settings.threads == 1 else f"{settings.threads} threads or processes"
    return (
        f"{settings.augment} of JPEGs ({report.mean_bytes / 1024:.0f} KiB) to {settings.size} px, uint8 batches of "
        f"{settings.batch}, {threads} each; higher is better"
    )


def _caption(report: Report) -> str:
    told = report.machine
    machine = ", ".join([str(told["processor"]), f"{told['usable_cpus']} CPUs", *told["gpus"]])
    text = (
        f"Median of {report.settings.rounds} rounds of {report.num_images:,} images in turn; the line in a bar spans "
        "slowest to fastest; ×: share of libjpeg-turbo alone, which decodes and does nothing else. "
        f"{machine}; Python {told['python']}, torch {told['versions']['torch']}."
    )
    return "\n".join(textwrap.wrap(text, 140))
