"""What all figures look like: one ink, one set of colours, one font."""

from __future__ import annotations

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe and Ito's colours, which people with any kind of colour vision tell apart."""

INK, MUTED, FAINT = "#1c2024", "#5c646d", "#c9ced4"
"""Of text, of what only explains, and of lines."""

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "text.color": INK,
    # A $ in a name is a $, not the start of a formula.
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    # The same file from the same numbers, byte for byte.
    "svg.hashsalt": "dfx",
}
"""For `matplotlib.rc_context`."""


def fitting(text: str, *, size: float, inches: float) -> float:
    """The font size in points, `size` or less, at which a bold `text` is no longer than `inches`; within STYLE."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    taken = TextPath((0, 0), text, prop=FontProperties(weight="bold", size=size)).get_extents().width / 72
    return size * min(1.0, inches / taken)
