"""The report's figures: drawn by matplotlib without a display, given back as SVG in a data address."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dataengine.drawing import COLOURS, FAINT, INK, STYLE
from trainers.report.material import Row, Target
from trainers.report.tables import Cell, Matrix

MARKERS = ("o", "s", "D", "^", "v", "P", "X")
LOSSES = ("train_loss", "val_loss")

_STYLE = {
    **STYLE,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def generalisation(rows: Sequence[Row], targets: Sequence[Target], panels: Sequence[tuple[str, Matrix]]) -> str:
    """Every cell of the matrices as a point with its interval: a panel a metric, a line a row, a colour a target."""
    height = 0.9 + len(rows) * max(0.42, 0.14 * len(targets) + 0.2)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(10, height), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for ax, (title, matrix) in zip(axes, panels, strict=True):
            _panel(ax, title, rows, targets, matrix)
        axes[0].set_yticks(range(len(rows)), [_wrapped(row) for row in rows])
        axes[0].set_ylim(len(rows) - 0.5, -0.5)
        handles = [
            ax.plot([], [], ls="", marker=_marker(k), color=_colour(k), label=t.label)[0] for k, t in enumerate(targets)
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=min(4, len(targets)), frameon=False)
        return _address(figure)


def _panel(ax: Axes, title: str, rows: Sequence[Row], targets: Sequence[Target], matrix: Matrix) -> None:
    step = 0.72 / max(1, len(targets))
    for i in range(len(rows)):
        for k, target in enumerate(targets):
            cell = matrix.get((i, target))
            if cell is None:
                continue
            y = i + (k - (len(targets) - 1) / 2) * step
            if cell.value is not None:
                _point(ax, cell, y, k, step)
            elif cell.all_unseen:
                ax.text(
                    0.01,
                    y,
                    "methods unseen",
                    transform=ax.get_yaxis_transform(),
                    va="center",
                    fontsize=7.5,
                    color=_colour(k),
                    style="italic",
                )
        if i:
            ax.axhline(i - 0.5, color=FAINT, lw=0.6)
    ax.set_title(title)
    # Nothing is worth drawing below the lowest mark, chance among them; the right end stays the best there is.
    marks = [at for cell in matrix.values() for at in (cell.chance, *cell.seeds, *(cell.interval or ()))]
    left = max(0.0, min(marks, default=0.0) - 0.1)
    ax.set_xlim(left, 1.02)
    ax.set_xticks([tick for tick in (0, 0.2, 0.4, 0.6, 0.8, 1) if tick >= left])
    ax.grid(axis="x", color=FAINT, lw=0.4)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)


def _point(ax: Axes, cell: Cell, y: float, k: int, step: float) -> None:
    assert cell.value is not None
    if cell.interval:
        ax.plot(cell.interval, (y, y), color=_colour(k), lw=1.6, solid_capstyle="butt")
    if len(cell.seeds) > 1:
        ax.plot(cell.seeds, [y] * len(cell.seeds), ls="", marker="|", ms=8, mew=0.8, color=INK)
    ax.plot([cell.value], [y], marker=_marker(k), ms=6, color=_colour(k), mec="white", mew=0.7)
    ax.plot((cell.chance, cell.chance), (y - step / 2, y + step / 2), color=INK, lw=1, ls=(0, (1, 1)))


def curves(rows: Sequence[Row]) -> str:
    """Loss and validation balanced accuracy by epoch; a colour a row, a line a seed, a dot the epoch that was kept."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(10, 3.4 + 0.2 * ((len(rows) + 1) // 2)), layout="constrained")
        loss, accuracy = figure.subplots(1, 2)
        handles = []
        for i, row in enumerate(rows):
            look = {"color": _colour(i), "ls": ("-", (0, (4, 1.5)), (0, (1, 1)))[(i // len(COLOURS)) % 3]}
            for run in row.runs:
                epochs = [line["epoch"] + 1 for line in run.epochs]
                for name, thin in zip(LOSSES, ({"lw": 0.8, "alpha": 0.55}, {"lw": 1.6}), strict=True):
                    loss.plot(epochs, [line[name] for line in run.epochs], **thin, **look)
                values = [line["val_balanced_accuracy"] for line in run.epochs]
                (handle,) = accuracy.plot(epochs, values, lw=1.6, label=f"{row.source}: {row.model}", **look)
                if run.selected:
                    at = run.selected["epoch"] + 1
                    accuracy.plot([at], [run.selected["val_balanced_accuracy"]], marker="o", ms=5, **look)
            handles.append(handle)
        loss.set_title("loss (thin: training, thick: validation)")
        accuracy.set_title("balanced accuracy by clip, source's validation split")
        losses = [line[name] for row in rows for run in row.runs for line in run.epochs for name in LOSSES]
        loss.set_ylim(0, 1.05 * max(losses, default=1.0))
        accuracy.set_ylim(0, 1.02)
        for ax in (loss, accuracy):
            ax.set_xlabel("epoch")
            ax.xaxis.get_major_locator().set_params(integer=True)
            ax.grid(color=FAINT, lw=0.4)
        figure.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False, fontsize=8)
        return _address(figure)


def _wrapped(row: Row) -> str:
    return f"{row.model}\non {row.source}"


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]


def _marker(k: int) -> str:
    return MARKERS[k % len(MARKERS)]


def _address(figure: Figure) -> str:
    """`data:image/svg+xml;base64,...`: as an image, so that the ids of two figures in one page cannot meet."""
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode()
