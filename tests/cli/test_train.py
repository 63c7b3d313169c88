from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.targets import targets
from cli.train import train
from dataengine.errors import DfxError
from tests.trainers.tiny_store import write_store
from trainers.checkpoint import read_state
from trainers.config import TrainConfig
from trainers.run import open_run

ROOT = Path(__file__).parents[2]
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
    assert f"next: dfx eval {run} --on shards/beside" in output
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
    assert targets(config) == ["a", "b"]


def test_the_next_command_names_three_stores_with_a_test_split_and_no_other_cut_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_store(Path("a"), clips={"train": 1, "val": 1})
    for name in ("b", "c", "d", "e"):
        write_store(Path(name), clips={"test": 1})
    shutil.copytree("b", "b-png")
    config = TrainConfig(data=("a",))
    assert targets(config) == ["b", "c", "d"]
    assert targets(TrainConfig(data=("b",))) == ["b", "c", "d"]


def test_the_help_shows_every_default() -> None:
    app = typer.Typer()
    app.command()(train)
    output = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "160"}).output
    for shown in ("(tf_efficientnetv2_b0)", "(imagenet)", "(auto)", "(0.0003)", "(the model's own)"):
        assert shown in output


def test_a_training_that_is_terminated_saves_itself_and_goes_on(folder: Path) -> None:
    program = "from cli.main import main; main()"
    words = [sys.executable, "-c", program, "train", "attribution", "--data", "shards/tiny", *SMALL, "--name", "taken"]
    words[words.index("--epochs") + 1] = "400"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    while "epoch   2/400" not in child.stdout.readline():
        assert child.poll() is None
    child.send_signal(signal.SIGTERM)
    output = " ".join(child.communicate(timeout=120)[0].split())
    assert child.returncode == 143
    assert "go on with: dfx train attribution --out runs/taken --resume" in output
    said = re.search(r"stopped at step (\d+) of 1200, and saved in runs/taken", output)
    assert said is not None
    state = read_state(folder / "runs/taken/state.pt")
    assert state["training"]["learner"]["step"] == int(said[1])
    assert not (folder / "runs/taken/result.json").exists()


@pytest.mark.parametrize(("sent", "code", "said"), [(signal.SIGTERM, 143, "and saved in"), (signal.SIGINT, 130, "")])
def test_several_processes_end_as_one_does_and_say_how_to_go_on(
    folder: Path, tmp_path: Path, sent: signal.Signals, code: int, said: str
) -> None:
    """Ray has handlers of its own for both."""
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from cli.main import main; main()"
    )
    words = "train detection --data shards/tiny --model test_resnet --weights none --size 32 --batch 8 --epochs 5000 "
    words += f"--gpus 0 --workers 2 --out {tmp_path / 'run'}"
    with subprocess.Popen(
        [sys.executable, "-c", program, *words.split()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        heard = []
        for line in process.stdout:
            heard.append(line)
            if line.startswith("epoch"):
                process.send_signal(sent)
                break
        rest = process.stdout.read()
    assert process.returncode == code, "".join(heard) + rest
    assert said in rest
    assert "go on with: dfx train detection --out" in rest
    assert "SIGTERM received" not in rest
    assert "Traceback" not in rest


def test_seeds_make_a_run_each_and_show_their_spread(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    output = call("attribution", "--data", "shards/tiny", *SMALL, "--seeds", "2", "--seed", "3", "--name", "many")
    assert [open_run(f"runs/many-s{seed}").train.seed for seed in (3, 4)] == [3, 4]
    assert "2 seeds: balanced accuracy" in output
    assert "dfx eval runs/many-s3 runs/many-s4 --on STORE" in output


def test_a_published_method_brings_its_settings_and_what_is_given_wins(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    call("mesonet4", "--data", "shards/tiny", *SMALL[4:], "--name", "meso")
    config = open_run("runs/meso").train
    assert (config.task, config.model, config.loss, config.lr, config.optimizer) == (
        "detection",
        "mesonet4",
        "mse",
        1e-3,
        "adam",
    )
    assert (config.epochs, config.size) == (1, 32)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["mesonet5"], "unknown task or method 'mesonet5'; did you mean mesonet4"),
        (["detection", "--pretrain"], "--pretrain is of dna-det"),
        (["detection", "--gpus", "0", "--workers", "2", "--device", "cpu"], "--device cpu names one device"),
        (["detection", "--address", "head:6379"], "--address needs --gpus N"),
        (["detection", "--gpus", "2", "--workers", "3"], "leave --workers 3 out"),
        (["detection", "--seeds", "0"], "--seeds is 0; give at least 1"),
        (["detection", "--track", "mlfow"], "did you mean mlflow"),
        (["detection", "--from", "runs/nowhere"], "no weights at 'runs/nowhere'"),
    ],
)
def test_what_cannot_work_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(folder)
    small = SMALL[:2] + SMALL[4:]  # --from says which weights
    with pytest.raises(DfxError, match=re.escape(told)):
        call(*words, "--data", "shards/tiny", *small, "--name", "refused")
    assert not Path("runs/refused/result.json").exists()
