"""Fixtures that many tests share: a tree of tiny images and the store made of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import HealthCheck, settings

from dataengine.convert import convert
from dataengine.extract import ExtractSettings
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.store import Store

# No test measures time: a busy machine must not fail one.
settings.register_profile("dfx", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dfx")

CLASSES = ("real", "Deepfakes", "FaceSwap")


def write_image_tree(root: Path, *, clips: int = 12, frames: int = 3, size: int = 48, pairs: bool = False) -> None:
    """`<class>/<target>[__<source>]/<frame>.jpg`, each class with a tint of its own, so that it can be learnt.

    People swap faces in one ring, so that derived splits lose fakes, or in `pairs`, so that they lose none.
    """
    rng = np.random.default_rng(0)
    for number, name in enumerate(CLASSES):
        for clip in range(clips):
            stem = f"{clip:03d}" if name == "real" else f"{clip:03d}__{clip ^ 1 if pairs else (clip + 1) % clips:03d}"
            folder = root / name / stem
            folder.mkdir(parents=True)
            base = rng.integers(0, 200, (size, size, 3), dtype=np.uint8)
            base[..., number] //= 2
            base[..., number] += 120
            for frame in range(frames):
                pixels = np.clip(base.astype(np.int16) + rng.integers(-8, 8, base.shape), 0, 255).astype(np.uint8)
                (folder / f"{frame:03d}.jpg").write_bytes(simplejpeg.encode_jpeg(pixels, 95, "RGB", "444"))


UNTOUCHED = ConvertSettings(extract=ExtractSettings(faces="none"), shard_samples=24)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect, rather than skip, what needs a CUDA device where there is none."""
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if needing:
        import torch

        if not torch.cuda.is_available():
            config.hook.pytest_deselected(items=needing)
            items[:] = [item for item in items if item not in needing]


@pytest.fixture(scope="session")
def image_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 clips of 3 images of 48 px in three classes; do not write to it."""
    root = tmp_path_factory.mktemp("tree") / "mini"
    write_image_tree(root)
    return root


@pytest.fixture(scope="session")
def mini_store(image_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of `image_tree`, with derived splits; do not write to it."""
    out = tmp_path_factory.mktemp("shards") / "mini"
    return convert("folder", image_tree, out, UNTOUCHED, ScanOptions()).store


@pytest.fixture(scope="session")
def whole_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """60 clips of 3 images of 48 px: every split holds every class, so that it can be trained on."""
    folder = tmp_path_factory.mktemp("whole")
    write_image_tree(folder / "tree", clips=20, pairs=True)
    return convert("folder", folder / "tree", folder / "shards" / "whole", UNTOUCHED, ScanOptions()).store
