"""A small finished run with the stores it is asked about, for the commands that predict."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.fit import fit


@pytest.fixture(scope="session")
def small_stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`home`, with every split; of other people `away`, with a method unseen in training, and `reals`."""
    root = tmp_path_factory.mktemp("shards")
    write_store(root / "home", clips={"train": 6, "val": 4, "test": 10}, frames=1)
    write_store(root / "away", clips={"test": 10}, methods=("real", "FaceSwap"), seed=1, frames=1)
    write_store(root / "reals", clips={"test": 4}, methods=("real",), seed=2, frames=1)
    return root


@pytest.fixture(scope="session")
def small_run(small_stores: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An attribution run trained on `home` for an epoch."""
    path = tmp_path_factory.mktemp("runs") / "small"
    settings = {"model": "test_resnet", "weights": "none", "size": 32, "batch": 9, "epochs": 1}
    fit(TrainConfig(data=(str(small_stores / "home"),), device="cpu", backend="cpu", threads=1, **settings), path)
    return path
