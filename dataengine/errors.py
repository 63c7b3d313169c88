"""What a user can mend. Library code raises these; only `cli` prints them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DfxError(ValueError):
    """Something the user can mend. The text is one line: what is wrong, which file or value, what to do."""

    def __str__(self) -> str:
        return printable(super().__str__())


class LayoutError(DfxError):
    """A dataset's tree is not what its layout says, or its official metadata contradict it."""


class MediaError(DfxError):
    """One video or image cannot be read. It fails its clip, never the run."""


class StoreError(DfxError):
    """A store is missing, unfinished, damaged, or another dataset's."""


class StateError(DfxError):
    """A saved state or checkpoint belongs to another stream, run or taxonomy."""


def printable(text: str) -> str:
    """A text with file names in it, on one line and in UTF-8: a name may hold line ends, and bytes that are no text."""
    joined = text.replace("\r", "\\r").replace("\n", "\\n")
    return joined.encode("utf-8", "backslashreplace").decode()


def unknown_name(kind: str, name: str, known: Iterable[str]) -> DfxError:
    """The error for a `kind` (model, loss, layout, ...) called `name` that is none of `known`.

    It names the nearest known names; where none is near all of them, or one for an example where they are many.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or (names if len(names) <= 30 else [])
    if not names:
        return DfxError(f"unknown {kind} '{name}'")
    if not near:
        return DfxError(f"unknown {kind} '{name}'; a known one is {names[0]}")
    hint = f"did you mean {' or '.join(near)}?" if len(near) <= 3 else f"known: {', '.join(near)}"
    return DfxError(f"unknown {kind} '{name}'; {hint}")


def line_of(error: Exception, at: int = 0) -> str:
    """A line of what another library said, blank ones not counted; the last where it said less. It fits in our own."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[min(at, len(lines) - 1)][:200]
