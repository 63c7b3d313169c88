"""A file that settings name, known by its content."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

from dataengine.errors import DfxError


@dataclass(frozen=True, slots=True)
class Pinned:
    """A file and what it held when it was named. The path is of this machine and enters no plan; the sha256 does."""

    path: str
    sha256: str


def pin(path: Path) -> Pinned:
    """Name a file. Raises DfxError where it cannot be read."""
    return Pinned(str(path.absolute()), _sha256(path))


def unchanged(pinned: Pinned) -> Path:
    """The file's path. Raises DfxError where it is missing, or holds something else by now."""
    path = Path(pinned.path)
    if _sha256(path) != pinned.sha256:
        raise DfxError(f"{path} has changed since it was first read; run the command again, it is another plan now")
    return path


def _sha256(path: Path) -> str:
    try:
        stat = path.stat()
        return _digest(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise DfxError(f"{path} cannot be read ({error.strerror}); check the path") from None


@functools.lru_cache(maxsize=16)
def _digest(path: Path, mtime_ns: int, size: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
