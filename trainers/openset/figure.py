"""Open-set results as a picture: what the scores of known and unknown clips look like, and the curves under OSCR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dataengine.drawing import COLOURS, FAINT, INK, MUTED, STYLE, fitting
from trainers.openset.measure import OpenRows, accepted, estimates

NAMES = {
    "max_softmax": "1 - largest probability",
    "energy": "energy",
    "prototype_distance": "distance to the prototypes",
}
_LINES = dict(zip(NAMES, ((COLOURS[0], "-"), (COLOURS[2], (0, (5, 1.5))), (COLOURS[3], (0, (1.5, 1)))), strict=True))
_KNOWN, _UNKNOWN = COLOURS[0], COLOURS[1]
_TICKS = (0, 0.25, 0.5, 0.75, 1)
_WIDTH, _ROW, _TOP = 9.0, 2.75, 0.42  # inches: the figure's width, a store's height, the heading


def draw_openset(results: Sequence[tuple[Mapping[str, Any], OpenRows]], path: Path) -> None:
    """Write the results of `assess.openset`, a row a store, to `path`, whose suffix says the format.

    Left: the threshold's score, of known and of unknown clips, with the threshold. Right: correct classification rate
    over false positive rate, a line a score; the area below it is OSCR.
    """
    height = _TOP + _ROW * len(results)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH, height), facecolor="white")
        for i, (result, rows) in enumerate(results):
            bottom = (height - _TOP - _ROW * (i + 1) + 0.55) / height
            size = (_ROW - 0.9) / height
            _scores(figure.add_axes((0.03, bottom, 0.53, size)), result, rows)
            _curves(figure.add_axes((0.655, bottom, 0.325, size)), rows)
        title = f"{results[0][0]['run']}: known and unknown methods, by clip"
        figure.text(0.02, 1 - 0.12 / height, title, size=12, weight="bold", va="top")
        figure.savefig(path, dpi=180, metadata={"Date": None} if path.suffix == ".svg" else None)


def _scores(ax: Axes, result: Mapping[str, Any], rows: OpenRows) -> None:
    threshold = result["threshold"]
    _title(ax, f"{result['store']}{result['selection']}: {NAMES[threshold['score']]}")
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(FAINT)
    ax.tick_params(length=0, labelcolor=MUTED, labelsize=8)
    ax.set_yticks([])
    if threshold["score"] not in rows.scores:
        ax.text(0.5, 0.5, "the predictions hold no such score", transform=ax.transAxes, ha="center", color=MUTED)
        return
    scores, at = rows.scores[threshold["score"]], threshold["threshold"]
    low, high = min(scores.min(), at), max(scores.max(), at)
    bins = np.linspace(low, high if high > low else low + 1, 31)
    for part, colour, name in ((rows.known, _KNOWN, "known"), (~rows.known, _UNKNOWN, "unknown")):
        if part.any():
            shares = np.histogram(scores[part], bins)[0] / part.sum()
            ax.stairs(shares, bins, fill=True, color=colour, alpha=0.22, lw=0)
            ax.stairs(shares, bins, color=colour, lw=1.5, label=f"{name}, {part.sum():,} clips")
    ax.set_ylim(0, 1.35 * ax.get_ylim()[1])
    ax.set_xlim(bins[0], bins[-1])
    ax.axvline(at, color=INK, lw=1.2, ls=(0, (3, 2)))
    late = at > (low + high) / 2
    text = f'threshold {at:.3g}; above it: "unknown"'
    shift, side = (-4, "right") if late else (4, "left")
    ax.annotate(
        text, (at, 1), (shift, -2), ("data", "axes fraction"), textcoords="offset points", ha=side, va="top", size=8
    )
    corner = ("upper left", (0, 0.92)) if late else ("upper right", (1, 0.92))
    ax.legend(loc=corner[0], bbox_to_anchor=corner[1], ncols=2, frameon=False, fontsize=8.5, handlelength=1.2)


def _curves(ax: Axes, rows: OpenRows) -> None:
    _title(ax, "correct classification curve")
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.02)
    ax.set_xticks(_TICKS)
    ax.set_yticks(_TICKS)
    ax.set_xlabel("false positive rate", color=MUTED, size=8, labelpad=2)
    ax.set_ylabel("correct classification rate", color=MUTED, size=8, labelpad=2)
    ax.grid(color="#e6e9ec")
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelcolor=MUTED, labelsize=8)
    ax.spines[:].set_visible(False)
    highest = 0.0
    for name in rows.scores:
        found = estimates(rows, name)
        if found is None:
            which = "unknown" if rows.known.any() else "known"
            ax.text(0.5, 0.52, f"undefined: no clip of {which} methods", ha="center", color=MUTED)
            return
        known, unknown, right = (part[0] for part in accepted(rows, name))
        colour, dash = _LINES[name]
        label = f"{name.replace('_', ' ')}: OSCR {found['oscr']:.3f}"
        ax.plot(unknown / unknown[-1], right / known[-1], color=colour, ls=dash, lw=1.7, label=label)
        highest = max(highest, right[-1] / known[-1])
    # Curves rise to the right: low ones leave the upper left free, high ones the lower right.
    ax.legend(loc="upper left" if highest < 0.6 else "lower right", frameon=False, fontsize=8.5, handlelength=2.2)


def _title(ax: Axes, text: str) -> None:
    size = fitting(text, size=9.5, inches=_WIDTH * ax.get_position().width)
    ax.set_title(text, size=size, weight="bold", loc="left", pad=7)
