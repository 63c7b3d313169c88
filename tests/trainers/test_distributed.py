"""Several processes that train together (gloo, on loopback) are one training."""

from __future__ import annotations

import multiprocessing
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

from tests.trainers.tiny_store import write_store
from trainers import distributed
from trainers.config import TrainConfig
from trainers.fit import fit
from trainers.predict import predict, read_predictions
from trainers.run import open_run
from trainers.saving import StoppedEarlyError

RUNS: dict[str, dict[str, object]] = {
    "ce": {},
    "supcon": {"loss": "ce+supcon"},
    "proxies": {"loss": "focal+proxyanchor", "accumulate": 2},
    "weighted": {"policy": "shuffled", "class_weights": "balanced", "ema": 0.8},
    "views-of-patches": {"loss": "ce+supcon", "patches": 2, "patch_px": 16},
    "patches": {"loss": "ce+patchwise", "patches": 2, "patch_px": 16, "learnt_weights": True},
}
"""Trainings of a model without batch norm and dropout, whose statistics and draws would be each process's own."""


def settings(store: Path) -> TrainConfig:
    return TrainConfig(
        data=(str(store),), model="test_vit", weights="none", size=32, epochs=2, batch=12, lr=1e-3, threads=1,
        optimizer="sgd",
    )  # fmt: skip


def run_rank(rank: int, world: int, store: Path, folder: Path) -> None:
    """What each process does: every training, then one that is stopped by the first process and taken up again."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=world)
    for name, changed in RUNS.items():
        fit(replace(settings(store), **changed), folder / name)  # type: ignore[arg-type]
    config = replace(settings(store), model="test_resnet", epochs=9)
    with pytest.raises(StoppedEarlyError):
        fit(config, folder / "stopped", stop=(lambda: True) if rank == 0 else None)
    fit(config, folder / "stopped", resume=True)
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("distributed") / "tiny", clips={"train": 8, "val": 3})


@pytest.fixture(scope="module")
def two(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of two processes."""
    folder = tmp_path_factory.mktemp("two")
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=run_rank, args=(rank, 2, store, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0, 0]
    return folder


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_train_the_weights_of_one(name: str, store: Path, two: Path, tmp_path: Path) -> None:
    fit(replace(settings(store), **RUNS[name]), tmp_path / "one")  # type: ignore[arg-type]
    one, other = (load_file(run / "model.safetensors") for run in (tmp_path / "one", two / name))
    assert max(float((one[key] - other[key]).abs().max()) for key in one) < 1e-5


def test_two_processes_tell_the_losses_and_scores_of_one(store: Path, two: Path, tmp_path: Path) -> None:
    fit(replace(settings(store), **RUNS["supcon"]), tmp_path / "one")  # type: ignore[arg-type]
    names = ("step", "train_loss", "train_supcon", "lr", "val_loss", "val_balanced_accuracy")
    runs = (open_run(tmp_path / "one"), open_run(two / "supcon"))
    one, other = ([[line[name] for name in names] for line in run.metrics()] for run in runs)
    assert torch.allclose(torch.tensor(one), torch.tensor(other), atol=1e-4)


def test_each_validation_sample_is_predicted_once(two: Path) -> None:
    run = open_run(two / "ce")
    table, _ = read_predictions(run.path / run.result["validation"][0])
    keys = table["key"].to_pylist()
    assert len(set(keys)) == len(keys) == 18
    assert run.result["processes"] == 2


def test_every_process_predicts_with_the_weights_that_are_kept(store: Path, two: Path, tmp_path: Path) -> None:
    run = open_run(shutil.copytree(two / "stopped", tmp_path / "run"))
    told, _ = read_predictions(run.path / run.result["validation"][0])
    again = predict(run, str(store), split="val", device="cpu", threads=1)
    assert np.allclose(told["p_real"].to_numpy(), again["p_real"].to_numpy(), atol=1e-6)


def test_all_processes_stop_where_one_is_told_to_and_go_on(two: Path) -> None:
    run = open_run(two / "stopped")
    assert [line["step"] for line in run.metrics()] == [4 * epoch for epoch in range(1, 10)]


def run_rank_on_gpu(rank: int, world: int, store: Path, folder: Path) -> None:
    """Both processes share the first GPU, which gloo allows."""
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=world)
    fit(replace(settings(store), model="test_resnet", device="cuda", amp="off"), folder / "two")
    dist.destroy_process_group()


@pytest.mark.gpu
def test_on_a_gpu_batch_norm_is_that_of_the_whole_batch(store: Path, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=run_rank_on_gpu, args=(rank, 2, store, tmp_path)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0, 0]
    fit(replace(settings(store), model="test_resnet", device="cuda", amp="off"), tmp_path / "one")
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert max(float((one[key].float() - other[key].float()).abs().max()) for key in one) < 1e-3


def test_alone_a_process_is_all_there_is() -> None:
    assert (distributed.rank(), distributed.world_size()) == (0, 1)
    assert distributed.gathered({"a": 1}) == [{"a": 1}]
    assert distributed.largest(3, torch.device("cpu")) == 3
    assert torch.equal(distributed.mean(torch.ones(2)), torch.ones(2))
