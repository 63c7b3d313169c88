"""What a search for leaks found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["bytes", "near", "footage", "identity", "official"]

MEANING: dict[Kind, tuple[str, str]] = {
    "bytes": ("same bytes", "images"),
    "near": ("near-identical frames", "pairs of clips"),
    "footage": ("same footage, other label", "pairs of clips"),
    "identity": ("same identities", "identities"),
    "official": ("official test clips elsewhere", "clips"),
}
"""Of each kind, what it is called and what its count counts."""

NUM_EXAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """What two sides have in common, of one kind."""

    kind: Kind
    sides: tuple[str, str]
    """"ff++:train", "celeb-df:test"."""
    count: int
    """Different images, pairs of clips, identities or clips: see MEANING."""
    frames: int = 0
    """Of near clips: pairs of near frames, in all of them together. Where there is about one a pair of clips, look at
    the examples: clips of the same footage have many."""
    clips: tuple[int, int]
    """Of each side that are concerned."""
    breaks: bool
    """Whether one side is tested on and the other learnt from or chosen by: then a result between them is none."""
    examples: tuple[tuple[str, str], ...]
    """The first NUM_EXAMPLES, one name of each side; of near clips, those with the most near frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """One side of a search."""

    name: str
    clips: int
    images: int
    beside_their_reals: int
    """Pairs of a real and a fake clip of the same footage within it, as fakes have them by nature: no leak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakReport:
    """A whole search."""

    sides: tuple[Searched, ...]
    leaks: tuple[Leak, ...]
    plain: int
    """Images without enough in them to be told apart, such as black frames; compared by their bytes alone."""
    unreadable: int
    """Images that could not be decoded, compared by their recorded hash alone."""
    first_unreadable: str
    """One of them with the reason, "" where there is none."""

    @property
    def breaks(self) -> bool:
        """Whether any leak joins training and test."""
        return any(leak.breaks for leak in self.leaks)
