"""`dfx fewshot`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.fewshot import fewshot
from dataengine.errors import DfxError
from tests.trainers.tiny_store import write_store

app = typer.Typer()
app.command()(fewshot)
CPU = ("--device", "cpu", "--backend", "cpu", "--threads", "1")


def call(*words: object) -> str:
    found = CliRunner().invoke(app, [*(str(word) for word in words), *CPU], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return " ".join(found.output.split())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fewshot") / "new"
    return write_store(root, clips={"train": 3, "test": 4}, methods=("real", "FaceSwap"), seed=3)


def test_each_probe_and_number_of_clips_is_told(small_run: Path, store: Path, tmp_path: Path) -> None:
    file, figure = tmp_path / "few.json", tmp_path / "few.png"
    output = call(small_run, "--with", store, "--shots", "1,5", "--seeds", "2", "--json", file, "--figure", figure)
    assert "small: attribution on new from few clips, 8 test clips" in output
    assert all(name in output for name in ("linear probe", "nearest prototype", "nearest neighbours", "±"))
    assert "classes: real, FaceSwap" in output
    assert "real: 3 clips in train, all of them used where more are asked for" in output
    assert "no intervals: 4 identity groups, fewer than 10" in output
    assert json.loads(file.read_text())["shots"] == [1, 5]
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_shots_are_whole_numbers(small_run: Path, store: Path) -> None:
    with pytest.raises(DfxError, match="--shots is '1;5'; give whole numbers"):
        call(small_run, "--with", store, "--shots", "1;5")
