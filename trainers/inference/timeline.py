"""A video's answer over time, as a picture: what the model was shown, and the probability of each class beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from dataengine.backends.cpu import Scratch, decode_image
from dataengine.drawing import COLOURS, FAINT, INK, MUTED, STYLE
from trainers.checkpoint import write_whole
from trainers.inference.answer import UNKNOWN
from trainers.inference.media import FileAnswer, FrameAnswer
from trainers.taxonomy import FAKE, Taxonomy

Floats = npt.NDArray[np.float64]

_WIDTH, _HEIGHT = 9.0, 4.5  # inches
_LEFT, _RIGHT, _BOTTOM, _PLOT, _CROP = 0.62, 1.95, 0.72, 2.2, 0.72  # inches: margins, and the heights of both parts
_CROPS = 8
_NAMED = 6
"""Lines with a colour and a name of their own, the most probable classes; more cannot be told apart."""


def draw_timeline(found: FileAnswer, taxonomy: Taxonomy, path: Path, *, run: str) -> None:
    """Write the picture of a video with at least one frame to `path`, a PNG, whole or not at all.

    An attribution model's classes are a line each, the most probable first; a detector's is p(fake) alone. Frames in
    which the clip's face was not found are marked, and no line is drawn across them. `run` is named in the caption.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH, _HEIGHT), facecolor="white")
        across = _WIDTH - _LEFT - _RIGHT
        axes = figure.add_axes((_LEFT / _WIDTH, _BOTTOM / _HEIGHT, across / _WIDTH, _PLOT / _HEIGHT))
        at = _times(found.frames)
        edges = _edges(at)
        axes.set_xlim(edges[0], edges[-1])
        _draw_lines(axes, found, taxonomy, at)
        _mark_absent(axes, found.frames, at, edges)
        _frame_axes(axes, found.frames)
        _crops(figure, found.frames, at, (edges[0], edges[-1]))
        _texts(figure, found, taxonomy, run)
        write_whole(path, lambda file: figure.savefig(file, format="png", dpi=160, facecolor="white"))


def _times(frames: Sequence[FrameAnswer]) -> Floats:
    """Where each frame stands: seconds, or its index where the video does not say how fast it is."""
    return np.array([frame.index if frame.time_s is None else frame.time_s for frame in frames], dtype=np.float64)


def _edges(at: Floats) -> Floats:
    """Half-way between neighbours, so that every frame has a stretch of its own: (F + 1,)."""
    if len(at) == 1:
        return np.array([at[0] - 0.5, at[0] + 0.5])
    middle = (at[1:] + at[:-1]) / 2
    return np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])


@dataclass(frozen=True, slots=True)
class _Line:
    """A class with a colour and a name of its own."""

    name: str
    column: int
    colour: str
    mean: float


def _lines_of(mean: Sequence[float], taxonomy: Taxonomy) -> list[_Line]:
    """The answer's own first. A class keeps its colour from video to video where there are colours for all of them."""
    if taxonomy.task == "detection":
        fake = taxonomy.classes.index(FAKE)
        return [_Line(f"p({FAKE})", fake, COLOURS[fake], mean[fake])]
    order = sorted(range(len(mean)), key=lambda column: -mean[column])[:_NAMED]
    enough = len(mean) <= len(COLOURS)
    return [
        _Line(taxonomy.classes[column], column, COLOURS[column if enough else rank], mean[column])
        for rank, column in enumerate(order)
    ]


def _draw_lines(axes: Axes, found: FileAnswer, taxonomy: Taxonomy, at: Floats) -> None:
    if found.answer is None:
        axes.text(0.5, 0.5, found.reason, transform=axes.transAxes, ha="center", va="center", color=MUTED, size=12)
        return
    absent = (np.nan,) * len(taxonomy.classes)
    p = np.array([absent if frame.p is None else frame.p for frame in found.frames])
    lines = _lines_of(found.answer.p, taxonomy)
    others = 0
    if taxonomy.task == "detection":
        axes.axhline(0.5, color=MUTED, lw=0.8, ls=(0, (4, 3)), zorder=2)
    elif others := len(taxonomy.classes) - len(lines):
        rest = sorted(set(range(len(taxonomy.classes))) - {line.column for line in lines})
        axes.plot(at, p[:, rest], color=FAINT, lw=0.8, zorder=2)
    best = lines[0]
    axes.fill_between(at, 0, p[:, best.column], color=best.colour, alpha=0.1, lw=0, zorder=1)
    for line in reversed(lines):
        lw, ms, above = (2.0, 4.5, 4) if line is best else (1.2, 3.0, 3)
        (drawn,) = axes.plot(at, p[:, line.column], "o-", color=line.colour, lw=lw, ms=ms, zorder=above, clip_on=False)
        drawn.set(markeredgecolor="white", markeredgewidth=0.5)
    _name_lines(axes, lines, others)


def _name_lines(axes: Axes, lines: Sequence[_Line], others: int) -> None:
    """The classes beside the lines, in the order of their mean."""
    across = 1 + 0.16 / (_WIDTH - _LEFT - _RIGHT)

    def write(row: int, text: str, **style: Any) -> None:
        down = 1 - max(0.0, 0.23 * row - 0.03) / _PLOT
        axes.text(across, down, text, transform=axes.transAxes, va="top", **style)

    write(0, "mean", color=MUTED, size=8)
    for row, line in enumerate(lines, start=1):
        text = f"{line.mean:.2f}  {_cut(line.name, 17)}"
        write(row, text, color=line.colour, weight="bold" if row == 1 else "normal")
    if others:
        write(len(lines) + 1, f"and {others} more", color=MUTED, size=8)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _mark_absent(axes: Axes, frames: Sequence[FrameAnswer], at: Floats, edges: Floats) -> None:
    absent = [i for i, frame in enumerate(frames) if frame.p is None]
    for i in absent:
        axes.axvspan(edges[i], edges[i + 1], color=FAINT, alpha=0.35, lw=0, zorder=0)
    axes.plot(at[absent], np.full(len(absent), 0.035), "x", color=MUTED, ms=5, zorder=3)


def _frame_axes(axes: Axes, frames: Sequence[FrameAnswer]) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks((0, 0.25, 0.5, 0.75, 1))
    axes.set_ylabel("probability", color=MUTED)
    axes.set_xlabel("frame" if frames[0].time_s is None else "seconds", color=MUTED)
    axes.grid(axis="y", color=FAINT, lw=0.4)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, pad=5)  # or the two noughts of the corner touch
    axes.spines[["top", "right"]].set_visible(False)


def _crops(figure: Figure, frames: Sequence[FrameAnswer], at: Floats, ends: tuple[float, float]) -> None:
    """A strip of what the model was shown, each in its own share of the time; grey where that holds nothing."""
    across = _WIDTH - _LEFT - _RIGHT
    bottom = (_BOTTOM + _PLOT + 0.14) / _HEIGHT
    count = min(_CROPS, len(frames))
    share = (ends[1] - ends[0]) / count
    for n in range(count):
        middle = ends[0] + (n + 0.5) * share
        inside = [i for i in range(len(frames)) if frames[i].image and abs(at[i] - middle) <= share / 2]
        left = _LEFT + (n + 0.5) * across / count - _CROP / 2
        axes = figure.add_axes((left / _WIDTH, bottom, _CROP / _WIDTH, _CROP / _HEIGHT), xticks=(), yticks=())
        axes.spines[:].set_visible(False)
        if inside:
            image = frames[min(inside, key=lambda i: abs(at[i] - middle))].image
            axes.imshow(decode_image(memoryview(image), Scratch()))
        else:
            axes.set_facecolor(to_rgba(FAINT, 0.35))


def _texts(figure: Figure, found: FileAnswer, taxonomy: Taxonomy, run: str) -> None:
    left = 0.16 / _WIDTH
    name = _cut(found.file.path.name, 120)
    figure.text(left, 1 - 0.14 / _HEIGHT, _heading(found, taxonomy), va="top", size=12, weight="bold", color=INK)
    figure.text(left, 1 - 0.4 / _HEIGHT, name, va="top", size=8.5, color=MUTED)
    absent = len(found.frames) - found.num_answered
    marked = f"; × no face, in {absent} of them" if absent else ""
    caption = f"{run}: {len(found.frames)} frames, evenly spaced over the video{marked}."
    figure.text(left, 0.1 / _HEIGHT, caption, va="bottom", size=7.5, color=MUTED)


def _heading(found: FileAnswer, taxonomy: Taxonomy) -> str:
    if found.answer is None:
        return "No answer: no face found"
    share = found.answer.p_fake if taxonomy.task == "detection" else max(found.answer.p)
    if found.answer.verdict == UNKNOWN:
        return f"Unknown (nearest: {found.answer.nearest}, {share:.2f})"
    return (
        f"{found.answer.verdict}, p(fake) {share:.2f}"
        if taxonomy.task == "detection"
        else (f"{found.answer.verdict}, {share:.2f}")
    )
