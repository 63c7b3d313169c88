"""Ways to damage a store, and what it holds."""

from __future__ import annotations

from pathlib import Path


def flip(path: Path, at: int = 5000) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file of a store, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
