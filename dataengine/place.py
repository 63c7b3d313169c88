"""Where a store lies: a folder of this machine, or one behind a URL. The one module that tells the two apart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import TypeGuard
from urllib.parse import unquote, urlsplit

from dataengine.cache import Content, user_cache
from dataengine.remote import RemotePath, is_url

Place = Path | RemotePath

_CHUNK_BYTES = 1 << 20


def place_of(text: str | Path) -> Place:
    """The place that a path or a URL means; `file://` is a path. Raises StoreError for a URL with credentials."""
    if isinstance(text, Path) or not is_url(text):
        return Path(text)
    if text.startswith("file://"):
        return Path(unquote(urlsplit(text).path))
    return RemotePath.of(text)


def is_remote(place: Place) -> TypeGuard[RemotePath]:
    """Whether its files come through the cache."""
    return isinstance(place, RemotePath)


def sizes(folder: Place) -> dict[str, int]:
    """Bytes of each file in a folder, by name. Raises FileNotFoundError; remotely StoreError where it is denied."""
    if isinstance(folder, RemotePath):
        return folder.sizes()
    with os.scandir(folder) as entries:
        return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}


def chunks(file: Place) -> Iterator[bytes]:
    """A file's bytes in order, past the cache. Raises FileNotFoundError; remotely StoreError where it is denied."""
    if isinstance(file, RemotePath):
        yield from file.chunks()
        return
    with file.open("rb") as stream:
        while data := stream.read(_CHUNK_BYTES):
            yield data


def open_file(file: Place, content: Content, *, stop: Event | None = None) -> int:
    """A descriptor of the file, or of its copy in the cache, to read from and to close.

    Raises FileNotFoundError where it is missing; remotely StoreError where it cannot be had as `content` says, and
    StoppedError soon after `stop` is set. A local file is opened as it is.
    """
    if isinstance(file, RemotePath):
        return user_cache().open(file, content, stop=stop)
    return os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))


def how_to_mend(file: Place) -> str:
    """What to do about a file of a store that is damaged or missing."""
    if isinstance(file, RemotePath):
        return "upload it again from a whole store"
    return f"run `dfx repair {file.parent}` to write it anew"
