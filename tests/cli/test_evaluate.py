from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.evaluate import evaluate_runs
from dataengine.errors import StoreError
from tests.trainers.report.synthetic_runs import write_run
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.fit import fit

app = typer.Typer()
app.command()(evaluate_runs)
CPU = ("--device", "cpu", "--backend", "cpu", "--threads", "1", "--batch", "8")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shards")
    write_store(root / "home", clips={"train": 6, "val": 4, "test": 12}, frames=1)
    write_store(root / "away", clips={"test": 4}, methods=("real", "FaceSwap"), seed=1, frames=1)
    write_store(root / "reals", clips={"test": 4}, methods=("real",), seed=2, frames=1)
    return root


@pytest.fixture(scope="module")
def run(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "small"
    settings = {"model": "mobilenetv3_small_050", "weights": "none", "size": 32, "batch": 9, "epochs": 1}
    fit(TrainConfig(data=(str(shards / "home"),), device="cpu", backend="cpu", threads=1, **settings), path)
    return path


def test_each_store_gets_its_table_and_its_confusion_matrix(run: Path, shards: Path, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    on = ["--on", str(shards / "home"), "--on", str(shards / "away")]
    found = CliRunner().invoke(app, [str(run), *on, *CPU, "--json", str(file)])
    assert found.exit_code == 0, found.output
    for text in ("small on home", "small on away", "method: balanced accuracy", "FaceSwap (unseen)"):
        assert text in found.output
    assert "unseen in training: FaceSwap (4 clips)" in found.output
    assert "fewer than 10" in found.output
    assert [result["store"] for result in json.loads(file.read_text())] == ["home", "away"]


def test_a_store_of_one_label_has_an_undefined_auc(run: Path, shards: Path) -> None:
    found = CliRunner().invoke(app, [str(run), "--on", str(shards / "reals"), *CPU])
    assert found.exit_code == 0, found.output
    line = next(line for line in found.output.splitlines() if line.startswith("real or fake: AUC"))
    assert line.count("undefined") == 2
    assert "0.5" not in line


def test_a_missing_split_names_those_there_are(run: Path, shards: Path) -> None:
    found = CliRunner().invoke(app, [str(run), "--on", str(shards / "away"), "--split", "val", *CPU])
    assert isinstance(found.exception, StoreError)
    away = shards / "away"
    assert str(found.exception) == f"{away} has no val split, it has test; name one of them: {away}@split=test"


def test_stored_predictions_are_scored_without_naming_a_store(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    found = CliRunner().invoke(app, [str(path), "--clips", "trimmed", "--figures"])
    assert found.exit_code == 0, found.output
    for text in ("run on lab, split test", "average precision", "temperature of a clip", "the store was not opened"):
        assert text in found.output
    assert len(list((path / "evaluations").glob("*-reliability.png"))) == 4


def test_each_table_of_clips_says_where_it_cuts(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / "methods"), write_run(tmp_path / "fakes", classes=("real", "fake"))]
    methods, fakes = (CliRunner().invoke(app, [str(path)]).output for path in paths)
    result = json.loads((paths[1] / "evaluations" / "lab-test.json").read_text())
    assert f"fake from p(fake) {result['source']['clip']['threshold']:.3f} on, the source's threshold" in fakes
    assert "largest probability: p(fake) at 0.5, not at the source's threshold (column)" in fakes
    assert "largest probability, at no threshold (column)" in methods


def test_runs_that_differ_in_their_seed_show_their_spread(run: Path, shards: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "other")
    found = CliRunner().invoke(app, [str(run), str(tmp_path / "other"), "--on", str(shards / "home"), *CPU])
    assert found.exit_code == 0, found.output
    assert "2 seeds on home, split test, by clip" in found.output
    line = next(line for line in found.output.splitlines() if line.startswith("method: balanced accuracy"))
    assert line.split()[4] == "0.000"  # the same weights twice
    alone = CliRunner().invoke(app, [str(run), str(tmp_path / "other")])
    assert "needs a store that all are evaluated on" in str(alone.exception)


def test_a_method_that_counts_as_a_class_is_right_when_it_is_given_that_class(run: Path, shards: Path) -> None:
    where = ["--on", str(shards / "away"), *CPU]
    plain = CliRunner().invoke(app, [str(run), *where])
    counted = CliRunner().invoke(app, [str(run), *where, "--counts-as", "FaceSwap=Deepfakes"])
    assert counted.exit_code == 0, counted.output
    assert "where FaceSwap counts as Deepfakes" in counted.output
    assert "FaceSwap (unseen)" in plain.output
    assert "(unseen)" not in counted.output
    wrong = CliRunner().invoke(app, [str(run), *where, "--counts-as", "FaceSwap=Deepfake"])
    assert "unknown class 'Deepfake'; did you mean Deepfakes" in str(wrong.exception)


def test_people_who_were_trained_on_are_left_out_and_counted(run: Path, shards: Path, tmp_path: Path) -> None:
    people = lambda split, number, method: (f"home/train{number:03d}", "")  # noqa: E731
    write_store(tmp_path / "near", clips={"test": 8}, methods=("real", "FaceSwap"), frames=1, people=people)
    where = ["--on", str(tmp_path / "near"), *CPU]
    plain = CliRunner().invoke(app, [str(run), *where])
    assert "6 identity groups were trained on as well: the numbers flatter" in plain.output
    found = CliRunner().invoke(app, [str(run), *where, "--unseen-people", "--json", str(tmp_path / "result.json")])
    assert found.exit_code == 0, found.output
    told = " ".join(found.output.split())
    assert "small on near, split test, people unseen in training alone" in told
    assert "clips that show nobody who was trained on: 2 of 8 real, 2 of 8 FaceSwap; the rest is left out" in told
    assert "of 2 of these fakes the store does not say who was put in" in told
    assert "flatter" not in told
    (result,) = json.loads((tmp_path / "result.json").read_text())
    assert result["clip"]["num"] == 4
    assert result["unseen_people"]["clips"]["real"] == {"kept": 2, "left_out": 6}
