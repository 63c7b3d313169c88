"""Few-shot results as a picture: a panel a metric, a line a probe over the number of clips a class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dataengine.drawing import COLOURS, FAINT, MUTED, STYLE, fitting

NAMES = {"linear": "linear probe", "prototype": "nearest prototype", "neighbours": "nearest neighbours"}
_LOOKS = dict(zip(NAMES, ((COLOURS[0], "o"), (COLOURS[1], "s"), (COLOURS[2], "D")), strict=True))
_HEIGHT, _PANEL = 3.4, 2.9  # inches: the figure's height, a panel's width
_APART = 0.07  # between the probes' bars, so that none hides another


def draw_fewshot(result: Mapping[str, Any], path: Path, *, names: Mapping[str, str]) -> None:
    """Write a result of `measure.fewshot` to `path`, whose suffix says the format; `names` is what metrics are called.

    A mark is the mean over the draws, its bar the standard deviation over them, the dotted line chance.
    """
    metrics, shots = list(result["results"][0]["metrics"]), result["shots"]
    width = 0.8 + _PANEL * max(2, len(metrics))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, _HEIGHT), facecolor="white")
        panels = figure.subplots(1, len(metrics), squeeze=False)[0]
        figure.subplots_adjust(0.45 / width, 0.45 / _HEIGHT, 1 - 0.15 / width, 1 - 1.08 / _HEIGHT, wspace=0.2)
        for ax, metric in zip(panels, metrics, strict=True):
            for i, probe in enumerate(NAMES):
                points = [found["metrics"][metric] for found in result["results"] if found["probe"] == probe]
                _line(ax, points, probe, (i - 1) * _APART)
            _panel(ax, names.get(metric, metric), shots, _chance(metric, len(result["classes"])))
        left = 0.12 / width
        title = f"{result['run']}: {result['task']} on {result['store']}{result['selection']} from few clips"
        size = fitting(title, size=12, inches=width - 0.24)
        figure.text(left, 1 - 0.1 / _HEIGHT, title, size=size, weight="bold", va="top")
        told = (
            f"{result['clips']:,} {result['split']} clips, {len(result['classes'])} classes; {_told(result['seeds'])}"
        )
        figure.text(left, 1 - 0.36 / _HEIGHT, told, size=8.5, color=MUTED, va="top")
        handles = [Line2D([], [], label=label, **_look(probe)) for probe, label in NAMES.items()]
        figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0.06 / width, 1 - 0.5 / _HEIGHT),
            ncols=3,
            frameon=False,
            handletextpad=0.5,
            columnspacing=1.6,
        )
        figure.savefig(path, dpi=180, metadata={"Date": None} if path.suffix == ".svg" else None)


def _told(seeds: int) -> str:
    drawn = f"mean of {seeds} draws, bars: standard deviation" if seeds > 1 else "one draw"
    return f"{drawn}; dotted: chance"


def _chance(metric: str, num_classes: int) -> float | None:
    if metric.endswith("_auc"):
        return 0.5
    return 1 / num_classes if metric.endswith("_balanced_accuracy") else None


def _look(probe: str) -> dict[str, Any]:
    colour, marker = _LOOKS[probe]
    return {"color": colour, "marker": marker, "ms": 5.5, "mec": "white", "mew": 0.7, "lw": 1.7}


def _line(ax: Axes, points: list[Mapping[str, Any]], probe: str, shift: float) -> None:
    def numbers(name: str) -> list[float]:
        return [np.nan if point[name] is None else point[name] for point in points]

    at, bars = np.arange(len(points)) + shift, np.nan_to_num(numbers("std"))
    ax.errorbar(at, numbers("mean"), yerr=bars, elinewidth=1.2, zorder=3, clip_on=False, **_look(probe))


def _panel(ax: Axes, title: str, shots: list[int], chance: float | None) -> None:
    ax.set_title(title, size=9.5, weight="bold", loc="left", pad=7)
    ax.set_xticks(range(len(shots)), [f"{k}" for k in shots])
    ax.set_xlim(-0.35, len(shots) - 0.65)
    ax.set_ylim(0, 1.0)
    ax.set_xlabel("clips a class", color=MUTED, size=8, labelpad=3)
    if chance is not None:
        ax.axhline(chance, color=MUTED, lw=1, ls=(0, (1, 1.5)), zorder=1)
    ax.grid(axis="y", color="#e6e9ec")
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelcolor=MUTED, labelsize=8)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(FAINT)
