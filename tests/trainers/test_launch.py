"""A training that Ray Train starts on several processes. It takes Ray 20 seconds to start: one test goes through it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from dataengine.errors import DfxError
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.launch import STOP_FILE, _Watch, launch
from trainers.progress import EpochRecord, StepRecord
from trainers.run import open_run
from trainers.saving import StoppedEarlyError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("launch") / "tiny", clips={"train": 8, "val": 3})


def settings(store: Path) -> TrainConfig:
    return TrainConfig(
        data=(str(store),),
        model="test_resnet",
        weights="none",
        loss="ce+supcon",
        size=32,
        epochs=10,
        batch=12,
        lr=3e-3,
        threads=1,
    )


def test_two_workers_of_ray_train_are_stopped_go_on_and_say_what_is_wrong(store: Path, tmp_path: Path) -> None:
    import ray

    said: list[str] = []
    steps: list[StepRecord] = []
    epochs: list[EpochRecord] = []
    follow = {"on_said": said.append, "on_step": steps.append, "on_epoch": epochs.append}
    common = {"gpus": 0, "workers": 2}
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    ray.init(  # once for three trainings: it takes its time
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 * 2**20,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": paths}},
    )
    try:
        with pytest.raises(StoppedEarlyError, match=r"stopped at step .* of 40"):
            launch(settings(store), tmp_path / "run", **common, stop=lambda: len(epochs) >= 1, **follow)  # type: ignore[arg-type]
        seen = len(epochs)
        assert 1 <= seen < 10
        result = launch(settings(store), tmp_path / "run", **common, resume=True, **follow)  # type: ignore[arg-type]
        with pytest.raises(DfxError, match="holds a finished run; choose another --name"):
            launch(settings(store), tmp_path / "run", **common)  # type: ignore[arg-type]
    finally:
        ray.shutdown()
    run = open_run(tmp_path / "run")
    assert [record.epoch for record in epochs] == list(range(10))
    assert [record.as_dict() for record in epochs] == run.metrics()
    assert result.best.val_balanced_accuracy == 1.0
    assert run.result["processes"] == 2
    assert said[0] == "Ray starts 2 processes, which takes a while"
    assert said[1].startswith("supcon compares samples of a class")
    assert steps[-1].num_steps == 40
    assert not [path.name for path in run.path.glob(".*")]


def test_a_batch_that_the_processes_cannot_share_is_refused_before_ray_starts(store: Path, tmp_path: Path) -> None:
    with pytest.raises(DfxError, match="a batch of 12 cannot be divided among 5 processes; take a batch of 10"):
        launch(settings(store), tmp_path / "run", gpus=0, workers=5)


def test_more_gpus_than_there_are_are_refused_before_ray_starts(store: Path, tmp_path: Path) -> None:
    with pytest.raises(DfxError, match="--gpus 4000 asks for more than there is"):
        launch(settings(store), tmp_path / "run", gpus=4000)


def test_a_stop_before_the_processes_have_begun_reaches_them(tmp_path: Path) -> None:
    asked = threading.Event()

    def stop() -> bool:
        asked.set()
        return True

    with _Watch(tmp_path / "run", on_said=None, on_epoch=None, on_step=None, stop=stop):
        asked.wait(10)
    assert (tmp_path / "run" / STOP_FILE).exists()
