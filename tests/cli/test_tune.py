from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.tune import standing, tune
from dataengine.errors import DfxError
from tests.trainers.tiny_store import write_store
from tune_spaces.records import Trial
from tune_spaces.work import GridProposals, SourceWork, Work

ROOT = Path(__file__).parents[2]
SMALL = [
    "--models",
    "test_resnet",
    "--losses",
    "ce",
    "--weights",
    "none",
    "--size",
    "32",
    "--batch",
    "6",
    "--gpus",
    "0",
]
APP = typer.Typer()
APP.command()(tune)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    write_store(folder / "shards/tiny", clips={"train": 3, "val": 2, "test": 2})
    write_store(folder / "shards/open", clips={"test": 2})
    return folder


def call(*words: str) -> str:
    result = CliRunner().invoke(APP, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_every_store_is_a_target_and_those_to_train_on_are_sources(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "160")
    output = call("attribution", *SMALL, "--search", "grid", "--epochs", "1", "--lr", "0.001", "--json", "tune.json")
    assert "sources: shards/tiny targets: shards/open, shards/tiny" in output
    assert "1 done" in output
    assert "tiny-000 starts: model test_resnet, loss ce, seed 0 tiny-000 done: " in output
    assert "trial model loss seed validation method open AUC open method tiny AUC tiny tiny-000 test_resnet" in output
    result = json.loads(Path("tune.json").read_text())
    (trial,) = result["trials"]
    assert result["best"] == {"tiny": trial["trial_id"]}
    assert set(trial["targets"]) == {"open", "tiny"}
    assert Path(result["report"]) == folder / "sweeps/attribution/report.html"
    run = json.loads(Path("sweeps/attribution/runs", trial["trial_id"], "config.json").read_text())
    assert run["train"]["lr"] == 0.001


def test_without_ray_one_line_says_what_to_install(folder: Path) -> None:
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "import typer; from cli.tune import tune\n"
        "app = typer.Typer(pretty_exceptions_enable=False); app.command()(tune); app()"
    )
    command = [sys.executable, "-c", code, "attribution", *SMALL, "--stores", str(folder / "shards")]
    out = ["--out", str(folder / "without")]
    ended = subprocess.run([*command, *out], cwd=ROOT, capture_output=True, text=True, timeout=100)
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("dataengine.errors.DfxError: a sweep runs on Ray")
    assert "pip install 'ray[train,tune]' optuna" in last


def test_without_a_store_to_train_on_the_command_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(DfxError, match=r"no store in .* with the splits train and val; .*`dfx shard`.*--data"):
        call("attribution", "--stores", str(tmp_path))


def test_stores_that_are_named_need_no_folder_of_stores(tmp_path: Path) -> None:
    for name in ("mine", "broken"):
        write_store(tmp_path / name, clips={"train": 2, "val": 2, "test": 2})
    (tmp_path / "broken" / "index.parquet").write_bytes(b"")
    mine = str(tmp_path / "mine")
    with pytest.raises(DfxError, match="no weights at 'typo'"):
        call(
            "attribution", "--data", mine, "--on", mine, "--stores", str(tmp_path), "--batch", "6", "--weights", "typo"
        )


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(DfxError, match="unknown task 'atribution'; did you mean attribution"):
        call("atribution")


def test_the_standing_of_a_sweep_is_one_line() -> None:
    def trial(number: int, **facts: object) -> Trial:
        settings = {"model": f"m{number}", "loss": "ce"}
        name = f"a-{number}"
        return Trial(trial_id=name, source="a", stage="search", number=number, settings=settings, seed=0, **facts)  # type: ignore[arg-type]

    known = [trial(0, status="running", scores=(0.5,)), trial(1, status="done", scores=(0.25, 0.75)), trial(2)]
    from tune_spaces.attribution import SPACE

    work = Work([SourceWork("a", GridProposals(SPACE), seeds=1, seed=0, known=known)])
    assert standing(work) == "2 running, best on a 0.750"
