"""Trees of empty files, and the miniatures, each made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dataengine.sample import generate

Miniature = Callable[[str], Path]


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Miniature:
    """The root of a miniature of two clips of two frames; do not write to it."""
    top = tmp_path_factory.mktemp("miniatures")

    def root(name: str) -> Path:
        if not (top / name).exists():
            generate(name, top / name, clips=2, frames=2, size=(160, 120), workers=0)
        return top / name

    return root


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
