"""`dfx degradation`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.degradation import degradation
from dataengine.errors import DfxError

app = typer.Typer()
app.command()(degradation)
CPU = ("--device", "cpu", "--backend", "cpu", "--threads", "1")


def call(*words: object) -> str:
    found = CliRunner().invoke(app, [*(str(word) for word in words), *CPU], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return " ".join(found.output.split())


def test_each_run_is_a_row_with_its_degradation_and_difference(
    small_run: Path, small_stores: Path, tmp_path: Path
) -> None:
    twin = shutil.copytree(small_run, tmp_path / "twin")
    file, figure = tmp_path / "lost.json", tmp_path / "lost.png"
    sets = ("--original", small_stores / "home", "--on", small_stores / "away", "--specialised")
    output = call(small_run, twin, *sets, small_stores / "reals", "--json", file, "--figure", figure)
    for text in ("home (original)", "away (unseen)", "reals (specialised)", "difference"):
        assert text in output
    assert "no interval where reals enters: 4 identity groups, fewer than 10" in output
    small, other = json.loads(file.read_text())
    assert {small["run"], other["run"]} == {"small", "twin"}
    values = [one["value"] for one in small["sets"]]
    assert small["degradation"]["value"] == pytest.approx(values[0] - values[1])
    assert small["difference"]["value"] == pytest.approx(values[2] - values[1])
    assert small["degradation"]["interval"] is not None
    assert small["difference"]["interval"] is None
    assert {**small, "run": ""} == {**other, "run": ""}
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_a_threshold_of_ones_own_and_frames_are_as_asked_for(
    small_run: Path, small_stores: Path, tmp_path: Path
) -> None:
    sets = ("--original", small_stores / "home", "--on", small_stores / "away")
    call(small_run, *sets, "--level", "frame", "--threshold", "1", "--json", tmp_path / "lost.json")
    (found,) = json.loads((tmp_path / "lost.json").read_text())
    assert (found["level"], found["threshold"]) == ("frame", 1.0)
    assert [one["value"] for one in found["sets"]] == pytest.approx([1 / 3, 1 / 2])  # none is called fake


@pytest.mark.parametrize("wrong", [("--level", "video"), ("--metric", "detection_eer"), ("--split", "tests")])
def test_what_cannot_be_compared_is_one_line(small_run: Path, small_stores: Path, wrong: tuple[str, str]) -> None:
    with pytest.raises(DfxError, match=f"unknown .*'{wrong[1]}'"):
        call(small_run, "--original", small_stores / "home", "--on", small_stores / "away", *wrong)


def test_a_store_that_is_given_twice_is_refused(small_run: Path, small_stores: Path) -> None:
    home, away = small_stores / "home", small_stores / "away"
    for sets in (("--on", f"{home}/"), ("--on", away, "--specialised", away)):
        with pytest.raises(DfxError, match="is given twice; a store is the original"):
            call(small_run, "--original", home, *sets)
