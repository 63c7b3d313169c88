"""Which files to answer for: images and videos among the files and folders that a user names."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dataengine.records import Media
from dataengine.source import IMAGE_SUFFIXES, VIDEO_SUFFIXES

TIMELINES_FILE = "dfx-predictions.json"
"""In a folder that dfx writes timelines to: the run that they are of. Such a folder's pictures are no input."""


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file to answer for."""

    path: Path
    """As the user gave it, or below the folder that was given."""
    place: Path
    """Its path below the given folder; the name of a file that was given itself."""
    media: Media


@dataclass(frozen=True, slots=True)
class Listing:
    """What was found at the given paths."""

    files: tuple[MediaFile, ...]
    """In the order given, those of a folder sorted; each once."""
    refused: dict[str, str]
    """What was given and is no file to answer for, with the reason."""
    passed_over: Counter[str]
    """The other files of the folders, by suffix."""


def find_media(paths: Iterable[Path]) -> Listing:
    """The images and videos among files and folders; hidden ones, and folders of timelines, are left alone."""
    files: dict[Path, MediaFile] = {}
    refused: dict[str, str] = {}
    passed_over: Counter[str] = Counter()

    def add(path: Path, place: Path) -> bool:
        suffix = path.suffix.lower()
        if suffix not in VIDEO_SUFFIXES | IMAGE_SUFFIXES:
            return False
        media: Media = "video" if suffix in VIDEO_SUFFIXES else "images"
        files.setdefault(path.resolve(), MediaFile(path, place, media))
        return True

    for path in paths:
        if path.is_dir():
            for found in _walk(path):
                if not add(found, found.relative_to(path)):
                    passed_over[found.suffix.lower()] += 1
        elif not path.exists():
            refused[str(path)] = "no such file"
        elif not add(path, Path(path.name)):
            refused[str(path)] = f"neither an image nor a video by its name ('{path.suffix}')"
    return Listing(tuple(files.values()), refused, passed_over)


def _walk(root: Path) -> Iterable[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not Path(folder, name, TIMELINES_FILE).exists()
        )
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))
