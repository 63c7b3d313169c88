"""A run folder that somebody else made is data: whatever is put in place of its files, nothing of it is executed."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from dataengine.errors import StateError
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.fit import fit
from trainers.run import open_run


class Payload:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("strangers")
    store = write_store(root / "tiny", clips={"train": 2, "val": 1})
    settings = {"model": "test_resnet", "weights": "none", "size": 32, "epochs": 1, "batch": 6, "threads": 1}
    return fit(TrainConfig(data=(str(store),), device="cpu", backend="cpu", **settings), root / "run").run


def payloads(trace: Path) -> list[bytes]:
    """A bare pickle, and one in torch's archive, with the state's own format number."""
    archive = trace.with_suffix(".archive")
    torch.save({"format": 1, "training": Payload(trace)}, archive)
    return [pickle.dumps(Payload(trace), protocol=2), archive.read_bytes()]


def test_the_payloads_do_run_where_they_are_unpickled(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    bare, archive = payloads(trace)
    pickle.loads(bare)
    assert trace.is_dir()
    trace.rmdir()
    (tmp_path / "state.pt").write_bytes(archive)
    torch.load(tmp_path / "state.pt", weights_only=False)
    assert trace.is_dir()


@pytest.mark.parametrize("kind", [0, 1])
def test_a_pickle_in_place_of_the_weights_is_refused_unexecuted(made: Path, tmp_path: Path, kind: int) -> None:
    trace = tmp_path / "trace"
    run = shutil.copytree(made, tmp_path / "run")
    (run / "model.safetensors").write_bytes(payloads(trace)[kind])
    with pytest.raises(StateError, match=r"model.safetensors cannot be read as safetensors"):
        open_run(run).model()
    assert not trace.exists()


@pytest.mark.parametrize("kind", [0, 1])
def test_a_pickle_in_place_of_the_state_is_refused_unexecuted(made: Path, tmp_path: Path, kind: int) -> None:
    trace = tmp_path / "trace"
    run = shutil.copytree(made, tmp_path / "run")
    (run / "state.pt").write_bytes(payloads(trace)[kind])
    (run / "result.json").unlink()
    with pytest.raises(StateError, match=r"state.pt is damaged"):
        fit(open_run(made).train, run, resume=True)
    assert not trace.exists()
