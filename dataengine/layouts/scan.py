"""What a layout gives: the clips of a tree, what was odd about it, and where its splits come from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from dataengine.errors import LayoutError
from dataengine.records import Clip, clip_id

_DIGITS = re.compile(r"(\d+)")
VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """What a user may tell a layout."""

    quality: str = "c23"
    """The compression to take where a dataset comes in several (FF++: raw, c23, c40)."""
    splits: Path | None = None
    """A folder of official split files, where they do not lie below the root."""
    name: str = ""
    """The dataset's name where the layout has none (`folder`); "" takes the root folder's."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A tree as a layout read it."""

    clips: tuple[Clip, ...]
    """Sorted by clip id; their ids are distinct."""
    split_origin: str
    """Where the splits come from, in words for `dfx info`."""
    notes: tuple[str, ...] = ()
    """What the user should know: files that are listed but missing, and the like."""


def scan_of(clips: Iterable[Clip], root: Path, split_origin: str, notes: Iterable[str] = ()) -> Scan:
    """Make ids distinct where two files differ in their suffix alone, sort, and refuse an empty tree."""
    found = list(clips)
    if not found:
        raise LayoutError(f"{root} holds no video or image; give the dataset's folder with --root")
    while twice := {name for name, count in Counter(clip.clip for clip in found).items() if count > 1}:
        found = [
            replace(clip, clip=clip_id(clip.dataset, clip.paths[0], keep_suffix=True)) if clip.clip in twice else clip
            for clip in found
        ]
    return Scan(tuple(sorted(found, key=lambda clip: clip.clip)), split_origin, tuple(notes))


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name, hidden ones left out; none where it does not exist."""
    if not folder.is_dir():
        return []
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def files(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    """The files in a folder with one of the suffixes (any case), hidden ones left out, sorted as people count: the
    frame 10 comes after 9."""
    if not folder.is_dir():
        return []
    found = (
        entry
        for entry in folder.iterdir()
        if entry.suffix.lower() in suffixes and not entry.name.startswith(".") and entry.is_file()
    )
    return sorted(found, key=_as_counted)


def _as_counted(entry: Path) -> list[tuple[int, str]]:
    parts = _DIGITS.split(entry.name)  # text and digits in turn
    return [(int(part) if i % 2 else 0, part) for i, part in enumerate(parts)]
