from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.train import _targets, train
from dataengine.errors import DfxError
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.run import open_run

SMALL = ["--model", "test_resnet", "--weights", "none", "--size", "32", "--epochs", "1", "--batch", "6"]
SMALL += ["--threads", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    write_store(folder / "shards/tiny", clips={"train": 3, "val": 2})
    write_store(folder / "shards/beside", clips={"test": 1})
    return folder


def call(*words: str) -> str:
    app = typer.Typer()
    app.command()(train)
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_a_run_is_trained_named_and_followed_by_the_next_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    output = call("attribution", "--data", "shards/tiny", *SMALL, "--json", "out/train.json")
    run = "runs/attribution-tiny-test_resnet-ce-s0"
    assert open_run(run).train.size == 32
    assert f"next: dfx eval {run} --on shards/tiny --on shards/beside" in output
    assert "best epoch 1 of 1: balanced accuracy" in output
    result = json.loads(Path("out/train.json").read_text())
    assert list(result) == ["run", "metric", "value", "best_epoch", "unreadable", "seconds", "epochs"]
    assert (result["run"], result["metric"]) == (run, "attribution_balanced_accuracy")


def test_resuming_takes_what_is_not_given_from_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    call("detection", "--data", "shards/tiny", *SMALL, "--name", "mine")
    assert "run: runs/mine" in call("detection", "--name", "mine", "--resume")
    with pytest.raises(DfxError, match="was trained with epochs = 1, not 2"):
        call("detection", "--name", "mine", "--resume", "--epochs", "2")


def test_resuming_nothing_says_what_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(DfxError, match="runs/typo holds no run to resume; name a store with --data"):
        call("detection", "--name", "typo", "--resume")
    with pytest.raises(DfxError, match="no store was given"):
        call("detection")


def test_the_next_command_names_each_store_that_opens_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "broken"):
        write_store(Path(name), clips={"test": 1})
    Path("again").symlink_to("a")
    Path("broken/dataset.json").write_text("{}")
    config = TrainConfig(data=("a@method=real", "./again@method=Deepfakes"))
    assert _targets(config) == ["a", "b"]


def test_the_help_shows_every_default() -> None:
    app = typer.Typer()
    app.command()(train)
    output = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "160"}).output
    for shown in ("(tf_efficientnetv2_b0)", "(imagenet)", "(auto)", "(0.0003)", "(the model's own)"):
        assert shown in output
