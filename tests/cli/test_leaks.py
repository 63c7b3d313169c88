"""The search for leaks as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.console import JsonOption
from cli.leaks import show_leaks, show_report
from dataengine.errors import StoreError
from dataengine.leaks import LeakReport
from dataengine.leaks.records import MEANING, Leak
from tests.dataengine.leaks.made import people, scene, write
from tests.dataengine.made import jpeg

app = typer.Typer()


@app.command()
def search(stores: list[str], json_file: JsonOption = None) -> None:
    show_leaks(stores, json_file=json_file)


def test_stores_that_share_nothing_end_well(tmp_path: Path) -> None:
    store = write(tmp_path, people(100), name="a")
    done = CliRunner().invoke(app, [store, "--json", str(tmp_path / "leaks.json")])
    assert done.exit_code == 0, done.output
    assert "nothing in common" in done.output
    said = json.loads((tmp_path / "leaks.json").read_text())
    assert (said["breaks"], said["leaks"], len(said["sides"])) == (False, [], 3)


@pytest.mark.parametrize(("split", "serious"), [("test", True), ("val", False)])
def test_only_what_joins_training_and_test_ends_with_an_error(tmp_path: Path, split: str, serious: bool) -> None:
    store = write(tmp_path, people(100) | {f"{split}/real/777": [jpeg(scene(100))]}, name="a")
    done = CliRunner().invoke(app, [store, "--json", str(tmp_path / "leaks.json")], env={"COLUMNS": "200"})
    assert "same bytes" in done.output
    assert f"a/{split}/real/777, frame 0" in done.output
    (leak,) = json.loads((tmp_path / "leaks.json").read_text())["leaks"]
    assert (leak["kind"], leak["count"], leak["breaks"]) == ("bytes", 1, serious)
    if serious:
        assert isinstance(done.exception, StoreError)
        assert "training and test are not apart: a:test and a:train share material (1 finding)" in str(done.exception)
    else:
        assert done.exit_code == 0


def test_findings_of_any_kind_stand_in_whole_words_on_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    sides, example = ("ff++-c23:train", "deeperforensics:test"), ("ff++/a, frame 1", "deeperforensics/b, frame 1")
    found = {"sides": sides, "count": 1234, "clips": (12345, 678), "breaks": True, "examples": (example,)}
    leaks = tuple(Leak(kind=kind, frames=54321 * (kind == "near"), **found) for kind in MEANING)
    show_report(LeakReport(sides=(), leaks=leaks, plain=0, unreadable=0, first_unreadable=""))
    tables, _, examples = capsys.readouterr().out.partition("an example of each\n")
    for what, _ in MEANING.values():
        assert f"in common: {what}" in tables
        assert f"{what} ff++/a, frame 1  |  deeperforensics/b, frame 1\n" in examples
    rows = [line.split() for line in tables.splitlines() if line.startswith("1,234")]
    near = rows.pop(1)
    whole = ["12,345", "of", "ff++-c23:train", "678", "of", "deeperforensics:test", "train,", "test"]
    assert rows == [["1,234", *whole]] * 4
    assert near == ["1,234", "54,321", *whole]
