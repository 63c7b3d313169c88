"""`dfx transfer`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.evaluate import evaluate_runs
from cli.train import train
from cli.transfer import transfer
from dataengine.errors import DfxError
from tests.trainers.tiny_store import write_store
from trainers.evaluation.predicted import validation_predictions
from trainers.metrics import clip_table
from trainers.run import open_run

CPU = ["--device", "cpu", "--backend", "cpu", "--threads", "1"]
SMALL = ["--samples", "8", "--batch", "4", "--epochs", "1", *CPU]

app = typer.Typer()
app.command("train")(train)
app.command("transfer")(transfer)
app.command("eval")(evaluate_runs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("transfer")
    write_store(folder / "shards/tiny", clips={"train": 6, "val": 3, "test": 3})
    write_store(folder / "shards/new", clips={"train": 4, "val": 2}, methods=("real", "FaceSwap"), seed=1)
    return folder


@pytest.fixture(autouse=True)
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    if not Path("runs/f2f").exists():
        data = ["--data", "shards/tiny@method=real,Face2Face", "--size", "32", "--weights", "none", "--epochs", "1"]
        call("train", "detection", *data, "--model", "mesonet4", "--batch", "6", "--name", "f2f", *CPU)
    return "runs/f2f"


def call(*words: str) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_a_run_learns_from_another_part_of_its_own_store_and_is_scored_like_any_other(run: str) -> None:
    new = "shards/tiny@method=real,Deepfakes"
    output = call(
        "transfer", run, "--strategy", "transfer", "--with", new, "--samples", "8", *SMALL, "--json", "a.json"
    )
    assert (
        "mesonet4, corrected settings: loss mse, adam, learning rate 0.001; the last layers learn, batch norms before "
        f"them stay as they are; 8 frames each of shards/tiny@method=real,Face2Face and of {new}" in output
    )
    assert "run: runs/f2f-transfer" in output
    assert "next: dfx eval runs/f2f-transfer --on shards/tiny" in output
    assert json.loads(Path("a.json").read_text())["run"] == "runs/f2f-transfer"
    assert open_run("runs/f2f-transfer").train.mix == (new,)
    frames = validation_predictions(open_run("runs/f2f-transfer"))
    assert frames is not None
    assert len(frames) == 18  # the reals are on both sides, and scored once
    assert len(clip_table(frames)) == 9
    assert "balanced accuracy" in call("eval", "runs/f2f-transfer", "--on", "shards/tiny", *CPU)


def test_a_stopped_run_goes_on_by_train_or_by_the_same_command(run: str) -> None:
    words = ["transfer", run, "--strategy", "merge", "--recipe", "study", "--with", "shards/new", *SMALL]
    call(*words)
    assert "best epoch 1 of 1" in call(*words, "--resume")
    assert "best epoch 1 of 1" in call("train", "detection", "--out", "runs/f2f-merge-study", "--resume")


def test_what_cannot_be_is_one_line(run: str) -> None:
    words = ["transfer", run, "--with", "shards/new", *SMALL]
    with pytest.raises(DfxError, match="unknown strategy 'both'"):
        call(*words, "--strategy", "both")
    with pytest.raises(DfxError, match=r"tiny.* has 12 real frames to draw from, and 30 samples take 15"):
        call(*words, "--strategy", "merge", "--samples", "30", "--name", "many")
    assert not Path("runs/many").exists()
