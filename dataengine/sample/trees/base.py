"""The words of a miniature tree: what files it holds, of whom, manipulated how. No pixels here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

FACE_METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
"""FaceForensics++'s five, under its folders' names."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One recording of one identity."""

    style: str
    """Key of styles.STYLES."""
    identity: str
    name: str
    """Of the recording, unique in its dataset."""


@dataclass(frozen=True, slots=True)
class Item:
    """One clip to make."""

    path: str
    """Below the root, with forward slashes."""
    target: Shot
    source: Shot | None = None
    """Whose face or expression goes in; None for a real."""
    method: str = ""
    """Key of manipulate.MANIPULATIONS; "" for a real."""
    form: Literal["video", "frames", "faces"] = "video"
    """An mp4 file; or `path` is a folder of frames as JPEG, or of the faces cut out of them as PNG."""
    archive: str = ""
    """The plain tar below the root, whatever its name, that `path` lies in; "" for none."""
    frame: str = "{:03d}"
    """What a frame's file is called, without its suffix, by its number."""
    segments: tuple[tuple[int, int], ...] = ()
    """The frames [start, stop) that are manipulated; () for all of them."""
    frames: int = 0
    """At most so many, where a list names each of them; 0 for as many as are asked for."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A miniature dataset before it is made."""

    items: tuple[Item, ...]
    """In the order they are made: everything of a target together, whatever its label."""
    lists: dict[str, str] = field(default_factory=dict)
    """Lists and metadata by path, written after all clips are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Miniature:
    """One dataset that can be made."""

    quality: str = "c23"
    """Default compression: a key of encode.CRF."""
    style: str = ""
    """Key of styles.STYLES that gives the default size; "" is the dataset's own name."""
    plan: Callable[[int, int, int, str, bool], Tree]
    """From clips, frames a clip, seed, quality and whether DFD is wanted."""
