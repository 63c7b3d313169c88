"""The reliability diagram: how often answers of a given confidence are right, before and after temperature scaling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataengine.drawing import COLOURS, FAINT, MUTED, STYLE
from trainers.evaluation.calibration import BINS, Reliability, reliability, tempered
from trainers.metrics import Scored
from trainers.metrics.rows import Floats, fake_probability
from trainers.taxonomy import Taxonomy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW = 10
"""Answers below which a bin's share says little: its 95 % interval is wider than 0.5 where half of them are right."""


def reliability_of(rows: Scored, task: str, p: Floats) -> Reliability:
    """What became of the answers to a task, "detection" or "attribution", with the probabilities `p` (n, C).

    Detection answers real or fake with the larger of p(fake) and 1 - p(fake); attribution answers the most probable
    class, on rows of methods seen in training.
    """
    if task == "detection":
        p_fake = fake_probability(p)
        return reliability(np.maximum(p_fake, 1.0 - p_fake), (p_fake >= 0.5) == (rows.labels == 1))
    seen = rows.seen
    return reliability(p[seen].max(axis=1, initial=0.0), (rows.predicted == rows.truth)[seen])


def draw_reliability(levels: Mapping[str, Scored], taxonomy: Taxonomy, path: Path, *, title: str) -> None:
    """Write a panel for each task and level ("frame", "clip") to `path`, whose suffix says its format."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    tasks = ["detection", *(["attribution"] if taxonomy.task == "attribution" else [])]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.6 * len(levels), 0.9 + 3.1 * len(tasks)), layout="constrained")
        axes = figure.subplots(len(tasks), len(levels), squeeze=False)
        for i, task in enumerate(tasks):
            for j, (level, rows) in enumerate(levels.items()):
                num = _panel(axes[i, j], rows, task)
                what = "real or fake" if task == "detection" else "method"
                axes[i, j].set_title(f"{what}, {num:,} {level}{'s' * (num != 1)}", loc="left")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, weight="bold")
        handles, _ = axes[0, 0].get_legend_handles_labels()
        few = Line2D([], [], ls="", marker="o", mfc="white", mec=MUTED, ms=4, label=f"hollow: fewer than {FEW} answers")
        figure.legend(handles=[*handles, few], loc="outside lower left", ncols=2, frameon=False, fontsize=8)
        figure.savefig(path, dpi=160, facecolor="white", format="png")


def _panel(ax: Axes, rows: Scored, task: str) -> int:
    """The number of answers that it shows."""
    before = reliability_of(rows, task, rows.p)
    edges = np.linspace(0, 1, BINS + 1)
    total = max(1, before.num.sum())
    ax.bar(edges[:-1], before.num / total, 1 / BINS, align="edge", color=FAINT, label="share of answers")
    ax.plot([0, 1], [0, 1], color=MUTED, lw=0.8, ls="--")
    curves = [(before, COLOURS[0], "o", "as predicted")]
    if rows.temperature is not None:
        after = reliability_of(rows, task, tempered(rows.p, rows.temperature))
        curves.append((after, COLOURS[1], "s", "at the source's temperature"))
    for found, colour, marker, label in curves:
        there, few = found.num > 0, (found.num > 0) & (found.num < FEW)
        ax.plot(found.confidence[there], found.accuracy[there], color=colour, lw=1.0, alpha=0.45, zorder=3)
        look: dict[str, Any] = {"ls": "", "marker": marker, "ms": 4, "mec": colour, "clip_on": False, "zorder": 4}
        look["in_layout"] = False  # a line without a point has no place, which would crush the panels
        ax.plot(found.confidence[there & ~few], found.accuracy[there & ~few], color=colour, label=label, **look)
        ax.plot(found.confidence[few], found.accuracy[few], mfc="white", **look)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share that is right")
    ax.spines[["top", "right"]].set_visible(False)
    return int(before.num.sum())
