"""Stores that operations are tried on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dataengine.convert import convert
from dataengine.layouts.scan import ScanOptions
from dataengine.store import Store
from tests.conftest import UNTOUCHED, write_image_tree


@pytest.fixture(scope="session")
def failing_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 clips of 2 images, and one that no decoder takes; do not write to it."""
    root = tmp_path_factory.mktemp("failing") / "mini"
    write_image_tree(root, clips=8, frames=2)
    (root / "real" / "broken").mkdir()
    (root / "real" / "broken" / "000.jpg").write_bytes(b"no image")
    return root


@pytest.fixture(scope="session")
def failing_store(failing_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of `failing_tree`; do not write to it."""
    out = tmp_path_factory.mktemp("shards") / "failing"
    return convert("folder", failing_tree, out, UNTOUCHED, ScanOptions()).store


@pytest.fixture
def copy(failing_store: Store, tmp_path: Path) -> Path:
    """A copy of `failing_store` that a test may harm."""
    return Path(shutil.copytree(failing_store.root, tmp_path / "copy"))
