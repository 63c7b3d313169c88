from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from dataengine.errors import DfxError
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.fit import fit
from trainers.inference import export as exporting
from trainers.inference.export import FACTS_FILE, INPUT, OUTPUT, export, facts
from trainers.run import Run, open_run

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = tmp_path_factory.mktemp("export")
    store = write_store(root / "tiny", clips={"train": 4, "val": 2})
    settings = {
        "model": "test_resnet",
        "weights": "none",
        "size": 32,
        "epochs": 2,
        "batch": 6,
        "threads": 1,
        "lr": 3e-3,
    }
    return open_run(fit(TrainConfig(data=(str(store),), device="cpu", backend="cpu", **settings), root / "run").run)


@pytest.fixture(scope="module", params=["onnx", "torchscript"])
def file(request: pytest.FixtureRequest, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / f"model.{request.param}"
    done = export(run, path, format=request.param)
    assert (done.num_random, done.num_real) == (9, 8)
    assert 0 <= done.difference < 1e-5
    assert list(path.parent.iterdir()) == [path]
    return path


def run_file(file: Path, images: torch.Tensor) -> np.ndarray:
    if file.suffix == ".onnx":
        (p,) = onnxruntime.InferenceSession(file).run([OUTPUT], {INPUT: images.numpy()})
        return np.asarray(p)
    with torch.inference_mode():
        return torch.jit.load(file)(images).numpy()


@pytest.mark.parametrize("batch", [1, 5])
def test_an_exported_model_gives_the_runs_probabilities_for_any_batch(run: Run, file: Path, batch: int) -> None:
    images = torch.randn((batch, 3, 32, 32), generator=torch.Generator().manual_seed(batch))
    with torch.inference_mode():
        logits, _ = run.model()(images)
    found = run_file(file, images)
    assert found.shape == (batch, 3)
    assert np.abs(found - torch.softmax(logits, dim=1).numpy()).max() < 1e-5


def test_an_exported_file_says_what_it_takes_to_use_it(run: Run, file: Path) -> None:
    if file.suffix == ".onnx":
        props = {prop.key: prop.value for prop in onnx.load(file).metadata_props}
        assert (props["task"], props["model"]) == ("attribution", "test_resnet")
        found = {name: json.loads(props[name]) for name in ("classes", "input_size", "mean", "std")}
    else:
        extra = {FACTS_FILE: ""}
        torch.jit.load(file, _extra_files=extra)
        assert (found := json.loads(extra[FACTS_FILE])) == facts(run)
    assert found["classes"] == ["real", "Deepfakes", "Face2Face"]
    assert (found["input_size"], found["mean"], found["std"]) == (32, list(run.input.mean), list(run.input.std))


def test_a_model_that_differs_leaves_no_file(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "LARGEST_DIFFERENCE", -1.0)
    with pytest.raises(DfxError, match=r"probabilities differ from the run's by up to .* nothing was written"):
        export(run, tmp_path / "model.torchscript", format="torchscript")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_is_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_text("mine")
    with pytest.raises(DfxError, match=r"m.onnx exists already; delete it, or name another --out"):
        export(run, tmp_path / "m.onnx", format="onnx")
    assert (tmp_path / "m.onnx").read_text() == "mine"


def test_without_the_runs_stores_noise_alone_is_compared(run: Run, tmp_path: Path) -> None:
    config = {**run.config, "sources": [{**run.config["sources"][0], "path": str(tmp_path / "gone")}]}
    moved = Run(shutil.copytree(run.path, tmp_path / "run"), config, run.result)
    done = export(moved, tmp_path / "m.torchscript", format="torchscript")
    assert (done.num_random, done.num_real) == (9, 0)


@pytest.mark.parametrize("absent", ["onnx", "onnxruntime", "onnxscript"])
def test_a_package_that_is_absent_is_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: str
) -> None:
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(DfxError, match=rf"{absent} is not installed; .*pip install -e '\.\[export\]'"):
        export(run, tmp_path / "m.onnx", format="onnx")


def test_a_format_that_there_is_none_of_is_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DfxError, match="unknown export format 'onx'; did you mean onnx"):
        export(run, tmp_path / "m", format="onx")
