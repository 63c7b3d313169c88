"""`dfx export` on the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.export import export
from dataengine.errors import DfxError
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.fit import fit

app = typer.Typer()
app.command()(export)


def test_export_says_what_goes_in_and_comes_out_and_by_how_much_it_differs(tmp_path: Path) -> None:
    store = write_store(tmp_path / "tiny", clips={"train": 2, "val": 1})
    settings = {"model": "test_resnet", "weights": "none", "size": 32, "epochs": 1, "batch": 6, "threads": 1}
    run = fit(TrainConfig(data=(str(store),), device="cpu", backend="cpu", **settings), tmp_path / "run").run
    file = tmp_path / "result.json"
    done = CliRunner().invoke(app, [str(run), "--format", "torchscript", "--json", str(file)])
    assert done.exit_code == 0, done.output
    assert (run / "model.torchscript").stat().st_size > 100_000
    assert "images, float32 (N, 3, 32, 32), RGB in [0, 1], less 0.5 0.5 0.5, over 0.5 0.5 0.5" in done.output
    assert "probabilities, float32 (N, 3): real, Deepfakes, Face2Face" in done.output
    assert "on 9 images of noise and 6 of its validation split" in done.output
    result = json.loads(file.read_text())
    assert result["path"] == str(run / "model.torchscript")
    assert result["difference"] < 1e-4


def test_what_is_not_there_is_neither_a_run_nor_a_store(tmp_path: Path) -> None:
    with pytest.raises(DfxError, match=r"neither a run nor a store at .*gone; check the path"):
        CliRunner().invoke(app, [str(tmp_path / "gone")], catch_exceptions=False)
