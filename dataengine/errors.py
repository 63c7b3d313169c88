"""What a user can mend. Library code raises these; only `cli` prints them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DfxError(ValueError):
    """Something the user can mend. The text is one line: what is wrong, which file or value, what to do."""


class LayoutError(DfxError):
    """A dataset's tree is not what its layout says, or its official metadata contradict it."""


class MediaError(DfxError):
    """One video or image cannot be read. It fails its clip, never the run."""


class StoreError(DfxError):
    """A store is missing, unfinished, damaged, or another dataset's."""


class StateError(DfxError):
    """A saved state or checkpoint belongs to another stream, run or taxonomy."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> DfxError:
    """The error for a `kind` (model, loss, layout, ...) called `name` that is none of `known`.

    It names the nearest known names, or all of them where none is near and they are few.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or (names if len(names) <= 30 else [])
    hint = f"did you mean {' or '.join(near)}?" if near and len(near) <= 3 else f"known: {', '.join(near)}"
    return DfxError(f"unknown {kind} '{name}'; {hint}" if near else f"unknown {kind} '{name}'")


def line_of(error: Exception, at: int = 0) -> str:
    """A line of what another library said, blank ones not counted; the last where it said less. It fits in our own."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[min(at, len(lines) - 1)][:200]
