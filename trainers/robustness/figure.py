"""Robustness curves as a picture: a panel a degradation, a line a store, level 0 untouched."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dataengine.drawing import COLOURS, FAINT, MUTED, STYLE

MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_TITLES = {"jpeg": "JPEG, quality", "blur": "Gaussian blur, sigma in px", "noise": "Gaussian noise, sd of 255",
           "scale": "Scaled down and up, side"}  # fmt: skip
_CHANCE = {"detection_auc": 0.5, "detection_eer": 0.5, "detection_balanced_accuracy": 0.5}
"""What an answer that ignores the image reaches, where it does not depend on how many there are of each label."""
_BELOW = 0.02
_HEIGHT, _PANEL = 3.55, 2.45  # inches: the figure's height, a panel's width


def draw_curves(results: Sequence[Mapping[str, Any]], metric: str, path: Path, *, metric_name: str) -> None:
    """Write one metric of the results of `curves.robustness`, a store each, to `path`, whose suffix says the format."""
    kinds = list(results[0]["curves"][metric])
    width, chance = 0.9 + _PANEL * max(2, len(kinds)), _CHANCE.get(metric)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, _HEIGHT), facecolor="white")
        panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
        figure.subplots_adjust(0.65 / width, 0.7 / _HEIGHT, 1 - 0.12 / width, 1 - 0.95 / _HEIGHT, wspace=0.09)
        for ax, kind in zip(panels, kinds, strict=True):
            for i, result in enumerate(results):
                _curve(ax, result["curves"][metric][kind], _look(i))
            _panel(ax, kind, results[0]["curves"][metric][kind], chance=chance)
        every = [point for result in results for points in result["curves"][metric].values() for point in points]
        marks = [
            mark for point in every for mark in (point["value"], *(point["interval"] or ()), chance) if mark is not None
        ]
        lowest = max(0.0, math.floor(10 * min(marks, default=0.0)) / 10)
        panels[0].set_ylim(lowest - _BELOW, 1.02)  # chance on the lowest tick is no axis
        panels[0].set_ylabel(metric_name, labelpad=6)
        middle = (0.65 + width - 0.12) / 2 / width
        figure.text(middle, 0.1 / _HEIGHT, "level, and the strength it stands for", size=9, ha="center", va="bottom")
        left, title = 0.12 / width, f"{results[0]['run']} under degradation"
        figure.text(left, 1 - 0.1 / _HEIGHT, title, size=12, weight="bold", va="top")
        told = "By clip; 0 is untouched" + "; band: 95 % interval" * any(point["interval"] for point in every)
        told += "; dotted: chance" if chance else ""
        figure.text(left, 1 - 0.36 / _HEIGHT, told, size=8.5, color=MUTED, va="top")
        figure.legend(
            handles=[
                Line2D([], [], label=f"{result['store']}{result['selection']}", **_look(i))
                for i, result in enumerate(results)
            ],
            loc="upper right",
            bbox_to_anchor=(1, 1 - 0.28 / _HEIGHT),
            ncols=min(4, len(results)),
            frameon=False,
            handletextpad=0.4,
            columnspacing=1.4,
        )
        figure.savefig(path, dpi=180, metadata={"Date": None} if path.suffix == ".svg" else None)


def _look(i: int) -> dict[str, Any]:
    marker = {"marker": MARKERS[i % len(MARKERS)], "ms": 5, "mec": "white", "mew": 0.7}
    return {"color": COLOURS[i % len(COLOURS)], "lw": 1.8, **marker}


def _curve(ax: Axes, points: Sequence[Mapping[str, Any]], look: dict[str, Any]) -> None:
    drawn = [point for point in points if point["value"] is not None]
    if banded := [point for point in drawn if point["interval"]]:
        low, high = zip(*(point["interval"] for point in banded), strict=True)
        ax.fill_between([point["level"] for point in banded], low, high, color=look["color"], alpha=0.14, lw=0)
    levels = [point["level"] for point in drawn]
    ax.plot(levels, [point["value"] for point in drawn], zorder=3, clip_on=False, **look)


def _panel(ax: Axes, kind: str, points: Sequence[Mapping[str, Any]], *, chance: float | None) -> None:
    ax.set_title(_TITLES[kind], size=9.5, weight="bold", loc="left", pad=7)
    ax.set_xlim(-0.25, 5.25)
    ax.set_xticks(range(len(points)), [f"{point['level']}\n{_strength(kind, point['strength'])}" for point in points])
    if chance is not None:
        ax.axhline(chance, color=MUTED, lw=1, ls=(0, (1, 1.5)), zorder=1)
    ax.grid(axis="y", color="#e6e9ec")
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelcolor=MUTED, labelsize=8)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(FAINT)


def _strength(kind: str, strength: float | None) -> str:
    if strength is None:
        return "as is"
    if kind == "scale":
        return str(Fraction(strength).limit_denominator(10))
    return f"{strength:.0f}" if kind in ("jpeg", "noise") else f"{strength:.1f}"
