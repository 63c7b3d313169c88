"""Degradations as a picture: each run's way from the original dataset down to the unseen ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dataengine.drawing import COLOURS, FAINT, INK, MUTED, STYLE
from trainers.degradation.measure import ORIGINAL, SPECIALISED

MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_WIDTH, _ROW = 9.0, 0.36  # inches: the figure's width, a run's height


_ORIGINAL: dict[str, Any] = {"marker": "o", "ms": 8, "ls": "", "color": INK}


def draw_degradations(results: Sequence[Mapping[str, Any]], path: Path, *, metric_name: str) -> None:
    """Write the results of `runs.degradations`, at least one, to `path`, whose suffix says the format."""
    looks = _looks(results)
    per_line = 5
    lines = -(-(2 + len(looks)) // per_line)
    above, below = 0.72 + 0.2 * lines, 0.5
    height = above + below + _ROW * len(results)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH, height), facecolor="white")
        left = min(0.42, 0.045 + 0.0072 * max(len(result["run"]) for result in results))
        ax = figure.add_axes((left, below / height, 0.925 - left, _ROW * len(results) / height))
        for y, result in enumerate(results):
            _row(ax, y, result, looks)
        _frame(ax, results)
        title = f"{metric_name}, by {results[0]['level']}"
        figure.text(0.02, 1 - 0.12 / height, title, size=12, weight="bold", va="top")
        told = "Number: the degradation, points lost from the original set to the average of the unseen ones"
        told += "; band: its 95 % interval" * any(map(_band, results))
        figure.text(0.02, 1 - 0.37 / height, told, size=8.5, color=MUTED, va="top")
        figure.legend(
            handles=_handles(results, looks),
            loc="upper left",
            bbox_to_anchor=(0.008, 1 - 0.52 / height),
            ncols=per_line,
            frameon=False,
            fontsize=8.5,
            handletextpad=0.2,
            columnspacing=1.2,
        )
        figure.savefig(path, dpi=180, metadata={"Date": None} if path.suffix == ".svg" else None)


def _looks(results: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """How the point of each set but the original is drawn, by role and name; a specialised one is hollow."""
    looks: dict[tuple[str, str], dict[str, Any]] = {}
    for role, name in dict.fromkeys((one["role"], one["name"]) for result in results for one in result["sets"]):
        if role == ORIGINAL:
            continue
        colour = COLOURS[len(looks) % (len(COLOURS) - 1)]  # the last is black, which stands for the original
        face = {"mfc": "white", "mec": colour, "mew": 1.4} if role == SPECIALISED else {"mec": "white", "mew": 0.6}
        looks[role, name] = {"marker": MARKERS[len(looks) % len(MARKERS)], "ms": 6, "ls": "", "color": colour, **face}
    return looks


def _handles(results: Sequence[Mapping[str, Any]], looks: Mapping[tuple[str, str], dict[str, Any]]) -> list[Line2D]:
    original = _original(results[0])["name"]
    handles = [Line2D([], [], label=f"{original} (original)", **_ORIGINAL)]
    for (role, name), look in looks.items():
        handles.append(Line2D([], [], label=f"{name} (specialised)" if role == SPECIALISED else name, **look))
    return [*handles, Line2D([], [], ls="", marker="|", ms=11, mew=2, color=INK, label="average of the unseen")]


def _row(ax: Axes, y: int, result: Mapping[str, Any], looks: Mapping[tuple[str, str], dict[str, Any]]) -> None:
    original = _original(result)["value"]
    average, lost = result["unseen_average"]["value"], result["degradation"]
    if lost["value"] is not None:
        ax.plot([100 * average, 100 * original], [y, y], color=FAINT, lw=3, zorder=1, solid_capstyle="butt")
        if band := _band(result):
            ax.fill_betweenx([y - 0.26, y + 0.26], band[0], band[1], color=INK, alpha=0.11, lw=0, zorder=1.5)
    if average is not None:
        ax.plot([100 * average], [y], marker="|", ms=13, mew=2, color=INK, zorder=6)
    for one in result["sets"]:
        if one["value"] is not None:
            look = _ORIGINAL if one["role"] == ORIGINAL else looks[one["role"], one["name"]]
            ax.plot([100 * one["value"]], [y], zorder=5, **look)
    text = "undefined" if lost["value"] is None else f"{100 * lost['value']:.1f}".replace("-", "\N{MINUS SIGN}")
    beside: dict[str, Any] = {"textcoords": "offset points", "va": "center", "ha": "right", "weight": "bold"}
    ax.annotate(text, (1, y), (44, 0), ("axes fraction", "data"), **beside)


def _frame(ax: Axes, results: Sequence[Mapping[str, Any]]) -> None:
    ax.set_yticks(range(len(results)), [result["run"] for result in results])
    ax.set_ylim(len(results) - 0.5, -0.5)
    values = [100 * one["value"] for result in results for one in result["sets"] if one["value"] is not None]
    if results[0]["metric"] in ("detection_auc", "detection_balanced_accuracy"):
        values.append(50)
        ax.axvline(50, color=MUTED, lw=1, ls=(0, (1, 1.5)), zorder=0.5)
    values += [end for result in results for end in _band(result)]
    ax.set_xlim(max(0, min(values, default=0) - 2), 102)
    ax.xaxis.set_major_formatter("{x:g} %")
    ax.grid(axis="x", color="#e6e9ec", zorder=0)
    ax.set_axisbelow(True)
    ax.tick_params(length=0)
    ax.tick_params(axis="x", labelcolor=MUTED, labelsize=8.5)
    ax.spines[:].set_visible(False)


def _original(result: Mapping[str, Any]) -> Mapping[str, Any]:
    return next(one for one in result["sets"] if one["role"] == ORIGINAL)


def _band(result: Mapping[str, Any]) -> tuple[float, ...]:
    """The ends of the degradation's interval in %, taken off the original; none without one."""
    original, interval = _original(result)["value"], result["degradation"]["interval"]
    return () if interval is None else tuple(100 * (original - end) for end in interval)
