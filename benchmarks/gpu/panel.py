"""What the panels of the chart have in common."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from benchmarks.gpu.results import Told, why_missing
from dataengine.drawing import COLOURS, FAINT, INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, PEER, GRID = COLOURS[0], COLOURS[1], "#b4bcc6", "#e6e9ec"
"""Of dfx, of a bound, of what it is compared with, and of the lines behind them."""


def head(axes: Axes, title: str, says: str) -> None:
    """A title, and beneath it what it says in short."""
    axes.set_title(title, loc="left", weight="bold", size=10.5, pad=20)
    axes.text(0, 1.025, says, transform=axes.transAxes, color=MUTED, size=8, va="bottom")


def missing(axes: Axes, told: Told | None) -> None:
    """Nothing but why there is nothing."""
    said = textwrap.fill(why_missing(told), 40)
    axes.text(0.5, 0.5, said, transform=axes.transAxes, ha="center", va="center", color=MUTED)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(FAINT)
    axes.spines[:].set_linestyle((0, (3, 3)))


def names(axes: Axes, labels: Sequence[str], bold: Sequence[bool] = ()) -> None:
    """Horizontal bars' names, those of dfx in bold."""
    axes.set_yticks(range(len(labels)), [textwrap.fill(label, 28) for label in labels], size=8)
    for label, ours in zip(axes.get_yticklabels(), bold, strict=False):
        label.set_fontweight("bold" if ours else "normal")
    plain(axes, "x")


def plain(axes: Axes, grid: Literal["x", "y"]) -> None:
    """Without frame and ticks, values in thousands, a grid along one axis."""
    getattr(axes, f"{grid}axis").set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 10 else f"{value:g}")
    axes.grid(axis=grid, color=GRID, zorder=0)
    axes.tick_params(length=0, which="both")
    axes.tick_params(axis=grid, labelcolor=MUTED, labelsize=8)
    axes.spines[:].set_visible(False)


def legend(axes: Axes, colours: Mapping[str, str], loc: str, ncols: int = 1) -> None:
    """Names of colours."""
    from matplotlib.patches import Patch

    axes.legend(
        handles=[Patch(color=colour, label=name) for name, colour in colours.items()],
        loc=loc,
        ncols=ncols,
        fontsize=7.5,
        frameon=False,
        handlelength=1,
        handleheight=1,
        columnspacing=1,
        labelcolor=INK,
        borderaxespad=0.2,
    )
