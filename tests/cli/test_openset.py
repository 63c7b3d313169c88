"""`dfx openset`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.openset import openset
from dataengine.errors import DfxError, StateError

app = typer.Typer()
app.command()(openset)
CPU = ("--device", "cpu", "--backend", "cpu", "--threads", "1")


def call(*words: object) -> str:
    found = CliRunner().invoke(app, [*(str(word) for word in words), *CPU], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return " ".join(found.output.split())


def test_each_store_is_told_with_its_unknown_methods_and_the_threshold_is_kept(
    small_run: Path, small_stores: Path, tmp_path: Path
) -> None:
    file, figure = tmp_path / "open.json", tmp_path / "open.png"
    on = [word for name in ("home", "away", "reals") for word in ("--on", small_stores / name)]
    output = call(small_run, *on, "--json", file, "--figure", figure)
    assert "away: 10 clips of 1 unknown method (FaceSwap 10), 10 clips of 1 known method" in output
    assert "home: undefined, for it brings no method that is unknown; 30 clips of 3 known methods" in output
    assert "reals: no intervals: 4 identity groups, fewer than 10" in output
    assert "away: at the threshold known accepted" in output
    home, away, _ = json.loads(file.read_text())
    assert home["clip"]["max_softmax"]["auroc"] is None
    assert 0 <= away["clip"]["max_softmax"]["auroc"]["interval"][0] <= 1
    kept = json.loads((small_run / "openset.json").read_text())
    assert kept == home["threshold"] == away["threshold"]
    assert {**kept, "threshold": None} == {
        "format": 1, "score": "max_softmax", "threshold": None, "accepted": 0.95, "level": "clip", "num_clips": 12,
    }  # fmt: skip
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_a_store_without_a_known_method_is_undefined(small_run: Path, small_stores: Path) -> None:
    output = call(small_run, "--on", f"{small_stores / 'away'}@method=FaceSwap")
    assert "undefined, for it brings no method that the run has a class for" in output


def test_what_cannot_be_fitted_is_one_line_and_leaves_no_threshold(
    small_run: Path, small_stores: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(small_run, tmp_path / "copy"))
    (copy / "openset.json").unlink(missing_ok=True)
    with pytest.raises(DfxError, match="unknown open-set score 'softmax'"):
        call(copy, "--on", small_stores / "away", "--score", "softmax")
    for file in (copy / "predictions").glob("*-val-*.parquet"):
        file.unlink()
    with pytest.raises(StateError, match="no validation predictions"):
        call(copy, "--on", small_stores / "away")
    assert not (copy / "openset.json").exists()
