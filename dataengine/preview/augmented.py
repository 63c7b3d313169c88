"""What an augmentation does, as a picture: samples of a store beside draws of them, with the drawn parameters."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.figure import Figure

from dataengine.augment import Augment, Draws, augment_preset, draw
from dataengine.backends.cpu import Scratch, decode_sample
from dataengine.drawing import INK, MUTED, STYLE
from dataengine.errors import DfxError, MediaError
from dataengine.fetch import Shards
from dataengine.order import counter_hash, permute, text_hash
from dataengine.selection import Rows

Pixels = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

_CELL, _GAP, _MARGIN = 1.75, 0.12, 0.2  # inches
_LABEL, _HEAD, _LINE = 0.3, 0.75, 0.135
_CAPTION_CHARS = 31
_MAX_PICTURES, _MAX_SIZE = 400, 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One sample of a preview."""

    method: str
    key: str
    plain: Pixels
    """RGB uint8 (size, size, 3), as evaluation sees it."""
    drawn: list[Pixels]
    heads: list[str]
    """What stands over each of them: "draw 1", "draw 1, view 2", "under none"."""
    captions: list[str]
    """What was drawn for each of them, in words."""


def shown_samples(
    rows: Rows, augment: Augment, *, images: int = 4, draws: int = 5, seed: int = 0, size: int = 224
) -> list[Shown]:
    """Up to `images` samples of as many different methods as there are, real first, and `draws` draws of each.

    The draws are those that a loader with `seed` makes in the epochs 0, 1, ... where the sample stands at the position
    of its own row, each with all its views; an augmentation that is `fixed`, or draws nothing, gives one picture.
    Samples that cannot be read are passed over. Raises DfxError where a number is below 1, or nothing can be read.
    """
    for name, value in (("images", images), ("draws", draws), ("size", size)):
        if value < 1:
            raise DfxError(f"{name} is {value}; give at least 1")
    if size > _MAX_SIZE or images * draws > _MAX_PICTURES:
        raise DfxError(
            f"{images} images with {draws} draws of {size} px are more than a picture can hold; at most "
            f"{_MAX_PICTURES} pictures of {_MAX_SIZE} px"
        )
    found: list[Shown] = []
    reason = "nothing is selected"
    with closing(Shards(rows)) as shards:
        for row in _candidates(rows, seed).tolist():
            try:
                found.append(_shown(rows, row, shards.read(row), augment, draws=draws, seed=seed, size=size))
            except MediaError as error:
                reason = str(error)
            if len(found) == images:
                break
    if not found:
        raise DfxError(f"no sample of {', '.join(map(str, rows.refs))} can be shown: {reason}")
    return found


def _candidates(rows: Rows, seed: int) -> Ints:
    """All rows in the order in which they are tried: a random one of each method, then a second of each, ..."""
    codes, names = rows.codes("method")
    first = {name: place for place, name in enumerate(sorted(names, key=lambda name: (name != "real", name)))}
    place = np.array([first[name] for name in names], dtype=np.int64)[codes]
    shuffled = permute(np.arange(len(rows)), len(rows), int(counter_hash(seed, text_hash("preview"))))
    by_method = shuffled[np.argsort(place[shuffled], kind="stable")]
    counts = np.bincount(place)
    turn = np.concatenate([np.arange(count) for count in counts])
    return np.asarray(by_method[np.lexsort((place[by_method], turn))])


def _shown(rows: Rows, row: int, data: memoryview, augment: Augment, *, draws: int, seed: int, size: int) -> Shown:
    key = rows.table["key"][row].as_py()
    if augment.fixed or not augment.random:
        heads = [f"under {augment.name}"]
    elif augment.views == 1:
        heads = [f"draw {number}" for number in range(1, draws + 1)]
    else:
        views = range(1, augment.views + 1)
        heads = [f"draw {number}, view {view}" for number in range(1, draws + 1) for view in views]
    width, height = (np.array([int(rows.column(side)[row])]) for side in ("width", "height"))
    at = np.array([text_hash(key)], dtype=np.uint64).astype(np.int64) if augment.fixed else np.array([row])
    made = [
        draw(augment, 0 if augment.fixed else seed, number // augment.views, at, view, width, height)
        for number in range(len(heads))
        for view in [np.array([[number % augment.views]])]
    ]
    plain = draw(augment_preset("none"), 0, 0, at, np.array([[0]]), width, height)
    return Shown(
        method=rows.table["method"][row].as_py(),
        key=key,
        plain=_pixels(data, plain, size),
        drawn=[_pixels(data, one, size) for one in made],
        heads=heads,
        captions=[caption(one) for one in made],
    )


def _pixels(data: memoryview, drawn: Draws, size: int) -> Pixels:
    views: Pixels = np.empty((1, size, size, 3), dtype=np.uint8)
    decode_sample(data, drawn, 0, views, Scratch())
    return views.reshape(size, size, 3)


def caption(drawn: Draws) -> str:
    """What one draw (arrays of one element) does to its sample, in words; "unchanged" where nothing."""
    area = drawn.w.item() * drawn.h.item() / (drawn.width.item() * drawn.height.item())
    parts = [f"crop {area:.0%}"] if area < 1 else []
    if drawn.flip.item():
        parts.append("flip")
    edits = drawn.edits
    if edits is not None:
        told = (
            (edits.angle, 0, 1, "rotate {:+.1f}°"),
            (edits.brightness, 1, 2, "brightness ×{:.2f}"),
            (edits.contrast, 1, 2, "contrast ×{:.2f}"),
            (edits.saturation, 1, 2, "saturation ×{:.2f}"),
            (edits.hue, 0, 0, "hue {:+.0f}°"),
            (edits.scale, 1, 2, "scale ×{:.2f}"),
            (edits.blur, 0, 1, "blur σ {:.1f} px"),
            (edits.noise, 0, 1, "noise σ {:.1f}"),
            (edits.jpeg, 0, 0, "JPEG {:d}"),
        )
        parts += [
            text.format(value.item()) for value, neutral, digits, text in told if _differs(value, neutral, digits)
        ]
    return ", ".join(parts).replace("saturation ×0.00", "grey").replace("-", "−") or "unchanged"


def _differs(value: npt.NDArray[np.generic], neutral: int, digits: int) -> bool:
    """Whether it can be told from neutral in as many digits as are shown."""
    return round(float(value.item()), digits) != neutral


def _lines(text: str, joint: str) -> list[str]:
    """The text in lines that fit under a picture, broken at its joints alone."""
    lines = [""]
    for piece in text.replace(joint, joint + "\n").split("\n"):
        if lines[-1] and len(lines[-1] + piece.rstrip()) > _CAPTION_CHARS:
            lines.append("")
        lines[-1] += piece
    return lines


def draw_preview(samples: list[Shown], path: Path, *, title: str) -> None:
    """Write `samples` as a picture, a row each, in the format of the path's suffix. Raises DfxError where it cannot."""
    columns = 1 + max(len(sample.drawn) for sample in samples)
    texts = [[_lines(sample.key, "/"), *(_lines(text, ", ") for text in sample.captions)] for sample in samples]
    heights = [_CELL + _LINE * (max(len(lines) for lines in row) + 1) + _GAP for row in texts]
    width = 2 * _MARGIN + _LABEL + columns * (_CELL + _GAP)
    height = _HEAD + sum(heights) + _MARGIN
    with rc_context({**STYLE, "font.size": 7}):
        figure = Figure(figsize=(width, height), facecolor="white")
        figure.text(_MARGIN / width, 1 - 0.16 / height, title, size=10, weight="bold", va="top")
        top = height - _HEAD
        for sample, lines, taken in zip(samples, texts, heights, strict=True):
            for column, pixels in enumerate([sample.plain, *sample.drawn]):
                left = _MARGIN + _LABEL + column * (_CELL + _GAP)
                axes = figure.add_axes((left / width, (top - _CELL) / height, _CELL / width, _CELL / height))
                axes.imshow(pixels)
                axes.set_axis_off()
                colour = INK if column else MUTED
                below = (top - _CELL - 0.05) / height
                figure.text(left / width, below, "\n".join(lines[column]), va="top", color=colour, linespacing=1.25)
                if sample is samples[0]:
                    head = ["as evaluated", *sample.heads][column]
                    figure.text(left / width, (top + 0.06) / height, head, color=MUTED, va="bottom", size=8)
            middle = (top - _CELL / 2) / height
            label = (_MARGIN + 0.02) / width
            figure.text(label, middle, sample.method, rotation=90, va="center", weight="bold", size=8)
            top -= taken
        try:
            figure.savefig(path, dpi=200)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DfxError(f"{path} cannot be written: {reason}; name another file, ending in .png") from None
