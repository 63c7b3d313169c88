"""A contact sheet: strips of pictures under their headings, on white."""

from __future__ import annotations

from bisect import bisect
from functools import lru_cache
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from dataengine.drawing import FAINT, INK, MUTED, STYLE
from dataengine.errors import DfxError
from dataengine.preview.samples import Picture, Strip

_CELL, _GAP, _MARGIN = 1.3, 0.14, 0.25  # inches
_TITLE, _HEADING, _LINE, _BETWEEN = 0.42, 0.24, 0.115, 0.16
_COLUMNS = 8
_HINTED = 1.06  # letters that are set on whole pixels stand further apart than their outlines
_SMALL, _MEDIUM, _LARGE = 6.0, 8.5, 11.0  # points


def draw_sheet(strips: list[Strip], path: Path, *, title: str, columns: int | None = None) -> None:
    """Write strips as a picture in the format of the path's suffix, images in their own proportions.

    A strip of more than `columns` (None: of the longest, at most 8) pictures goes on in a line below. Raises DfxError
    where the file cannot be written.
    """
    wide = columns or min(_COLUMNS, max(len(strip.pictures) for strip in strips))
    lines = [[strip.pictures[at : at + wide] for at in range(0, len(strip.pictures), wide)] for strip in strips]
    inner = max(wide, 3) * (_CELL + _GAP) - _GAP  # so that a title has room over one picture too
    width = inner + 2 * _MARGIN
    heights = [sum(map(_height, of_strip)) + _HEADING + _BETWEEN for of_strip in lines]
    height = 2 * _MARGIN + _TITLE + sum(heights) - _BETWEEN
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), facecolor="white")

        def text(words: str, left: float, top: float, room: float, size: float, colour: str, weight: str) -> float:
            """Write at inches from the left and the top; the width that it took."""
            words, taken = fitted(words, room, size, weight)
            figure.text(left / width, 1 - top / height, words, size=size, color=colour, weight=weight, va="baseline")
            return taken

        text(title, _MARGIN, _MARGIN + 0.13, inner, _LARGE, INK, "bold")
        top = _MARGIN + _TITLE
        for strip, of_strip in zip(strips, lines, strict=True):
            taken = text(strip.heading, _MARGIN, top + 0.1, inner, _MEDIUM, INK, "bold")
            beside = _MARGIN + taken + 0.1
            if inner + _MARGIN - beside > 0.5:
                text(strip.note, beside, top + 0.1, inner + _MARGIN - beside, _SMALL + 1, MUTED, "normal")
            top += _HEADING
            for pictures in of_strip:
                below = top + max(map(_image_height, pictures))
                for column, picture in enumerate(pictures):
                    left = _MARGIN + column * (_CELL + _GAP)
                    high, across = _image_height(picture), _image_width(picture)
                    box = (left / width, 1 - below / height, across / width, high / height)
                    axes = figure.add_axes(box)
                    axes.set_xticks([])
                    axes.set_yticks([])
                    for spine in axes.spines.values():
                        spine.set(color=FAINT, linewidth=0.4)
                    if picture.pixels is not None:
                        axes.imshow(picture.pixels, aspect="auto")
                    for number, line in enumerate(picture.lines):
                        colour = MUTED if number else INK
                        text(line, left, below + 0.12 + number * _LINE, _CELL, _SMALL, colour, "normal")
                top += _height(pictures)
            top += _BETWEEN
        try:
            figure.savefig(path, dpi=200)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DfxError(f"{path} cannot be written: {reason}; name another file, ending in .png") from None


def _image_width(picture: Picture) -> float:
    return _CELL * min(1.0, _shape(picture)[1] / _shape(picture)[0])


def _image_height(picture: Picture) -> float:
    return _CELL * min(1.0, _shape(picture)[0] / _shape(picture)[1])


def _shape(picture: Picture) -> tuple[int, int]:
    return (1, 1) if picture.pixels is None else picture.pixels.shape[:2]


def _height(pictures: tuple[Picture, ...]) -> float:
    """Of a line of pictures with what stands under them, in inches."""
    return max(map(_image_height, pictures)) + 0.1 + _LINE * max(len(picture.lines) for picture in pictures)


def fitted(words: str, room: float, size: float, weight: str = "normal") -> tuple[str, float]:
    """The words, without some of their middle where they are wider than `room` inches; and how wide they are."""
    taken = _inches(words, size, weight)
    if taken <= room:
        return words, taken

    def without_middle(left: int) -> str:
        begin = (left + 1) // 2
        return words[:begin].rstrip() + "…" + words[len(words) - left // 2 :].lstrip()

    left = bisect(range(len(words)), room, key=lambda left: _inches(without_middle(left), size, weight)) - 1
    shown = without_middle(max(left, 2))
    return shown, _inches(shown, size, weight)


@lru_cache(maxsize=4096)
def _inches(words: str, size: float, weight: str) -> float:
    if not words.strip():
        return 0.0
    font = FontProperties(family=str(STYLE["font.family"]), weight=weight)
    outline = TextPath((0, 0), words, size=size, prop=font, usetex=False)
    return float(outline.get_extents().width) / 72 * _HINTED
