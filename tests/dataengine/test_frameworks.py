"""The loader inside other people's training loops, as it is: no adapter, no sampler, no rank passed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dataengine.batches import Batch
from dataengine.loader import Loader
from dataengine.selection import Rows, select
from dataengine.store import Store

BATCH, SIDE = 8, 8
ROOT = Path(__file__).parents[2]


def open_loader(rows: Rows) -> Loader:
    return Loader(rows, rows.codes("method")[0], batch=BATCH, mode="train", size=SIDE, threads=1, seed=5)


def whole(rows: Rows, epochs: int) -> list[list[int]]:
    """The batches' rows of so many undisturbed epochs."""
    with open_loader(rows) as loader:
        return [batch.rows.tolist() for _ in range(epochs) for batch in loader]


@pytest.fixture(scope="module")
def rows(whole_store: Store) -> Rows:
    return select([str(whole_store.root)])


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 3))


def ray_worker(config: dict[str, str]) -> None:
    """One epoch of what Ray Train calls a training function; it runs in a process of its own."""
    from ray import train
    from ray.train.torch import prepare_model

    rows, model, seen = select([config["store"]]), prepare_model(linear()), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with open_loader(rows) as loader:
        for batch in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(batch.images), batch.labels).backward()
            optimizer.step()
            seen.append(batch.rows.tolist())
    (Path(config["out"]) / f"{train.get_context().get_world_rank()}.json").write_text(json.dumps(seen))


def test_two_ray_train_workers_share_the_global_order(
    rows: Rows, whole_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 * 2**20,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": path}},
    )
    try:
        TorchTrainer(
            ray_worker,
            train_loop_config={"store": str(whole_store.root), "out": str(tmp_path)},
            scaling_config=ScalingConfig(num_workers=2),
            run_config=RunConfig(storage_path=str(tmp_path / "ray")),
        ).fit()
    finally:
        ray.shutdown()
    parts = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert [first + second for first, second in zip(*parts, strict=True)] == whole(rows, 1)


def lightning_fit(
    rows: Rows, folder: Path, *, saved_at: int | None = None, resume: Path | None = None, **limits: Any
) -> list[list[int]]:
    """Train through Lightning, and save its checkpoint at a step: the rows of the batches that it trained on."""
    import lightning.pytorch as lightning
    from lightning.pytorch.callbacks import ModelCheckpoint

    seen: list[list[int]] = []

    class Module(lightning.LightningModule):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = linear()

        def training_step(self, batch: Batch, number: int) -> torch.Tensor:
            seen.append(batch.rows.tolist())
            return nn.functional.cross_entropy(self.model(batch.images), batch.labels)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    keep = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=saved_at)
    with open_loader(rows) as loader:
        trainer = lightning.Trainer(
            accelerator="cpu",
            callbacks=[keep],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
            **limits,
        )
        trainer.fit(Module(), train_dataloaders=loader, ckpt_path=resume)
    return seen


def test_lightning_trains_on_the_loader_epoch_after_epoch(rows: Rows, tmp_path: Path) -> None:
    assert lightning_fit(rows, tmp_path, max_epochs=2) == whole(rows, 2)


@pytest.mark.parametrize("steps", [4, 22, 28])
def test_lightning_resumes_in_mid_epoch_with_the_next_sample(rows: Rows, tmp_path: Path, steps: int) -> None:
    before = lightning_fit(rows, tmp_path, saved_at=steps, max_steps=steps)
    after = lightning_fit(rows, tmp_path, resume=tmp_path / f"step={steps}.ckpt", max_epochs=2)
    assert len(before) == steps
    assert before + after == whole(rows, 2)
