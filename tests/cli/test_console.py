"""What every command shares: errors, notes, tables, the bar, and `--json`."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

import cli.console
from cli.console import JsonOption, count_of, progress, show_notes, show_table, write_json
from cli.main import app, main
from dataengine.errors import DfxError

ODD = "a[/x][red]b"


def test_an_error_is_printed_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["dfx", "info", ODD])
    with pytest.raises(SystemExit, match="1"):
        main()
    shown = capsys.readouterr().err
    assert shown.startswith("error ")
    assert ODD in shown
    assert shown.count("\n") == 1


def test_notes_and_tables_are_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    show_notes({"shared_identities": {}, "notes": [ODD], "lacking": [], "leaks": []})
    show_table(f"title {ODD}", [f"head {ODD}"], [[f"cell {ODD}"]])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        f"{what} {ODD}" for what in ("note", "title", "head", "cell")
    ]


def test_one_thing_is_not_told_in_the_plural() -> None:
    assert [count_of(number, "clip") for number in (0, 1, 1200)] == ["0 clips", "1 clip", "1,200 clips"]


def test_shared_identities_are_told_with_their_origin(capsys: pytest.CaptureFixture[str]) -> None:
    show_notes(
        {
            "shared_identities": {"train+test": 5},
            "split_origin": "official list",
            "notes": [],
            "lacking": [],
            "leaks": [],
        }
    )
    told = "note 5 identities are in both train and test; it comes with the dataset's own splits (official list)\n"
    assert capsys.readouterr().out == told


def test_one_shared_identity_is_told_in_the_singular(capsys: pytest.CaptureFixture[str]) -> None:
    show_notes(
        {"shared_identities": {"val+test": 1}, "split_origin": "official", "notes": [], "lacking": [], "leaks": []}
    )
    assert capsys.readouterr().out.startswith("note 1 identity is in both val and test;")


def test_the_bar_stays_whole_beside_a_long_note(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(cli.console, "console", Console(file=shown, width=100, force_terminal=True, color_system=None))
    with progress("training", total=12_345) as advance:
        advance(12_345, note=f"{ODD} " + "long " * 30)
    last = shown.getvalue().splitlines()[-2]  # after it only the cursor is shown again
    assert "━" * 20 in last
    assert "12345/12345" in last
    assert ODD in last


@pytest.mark.parametrize("target", [".", "file/result.json", "file/deeper/result.json"])
def test_json_that_cannot_be_written_is_said_before_the_work(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    worked = []
    command = typer.Typer()

    @command.command()
    def work(json_file: JsonOption = None) -> None:
        worked.append(json_file)

    ended = CliRunner().invoke(command, ["--json", target])
    assert isinstance(ended.exception, DfxError)
    assert f"--json {target}" in str(ended.exception)
    assert not worked
    with pytest.raises(DfxError, match="cannot be written"):
        write_json(Path(target), {})


@pytest.mark.parametrize("command", ["shard", "sample"])
def test_fewer_than_no_workers_are_a_usage_error(command: str, tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, [command, "ff++", "--root", str(tmp_path / "new"), "--workers", "-1"])
    assert ended.exit_code == 2
    assert not (tmp_path / "new").exists()
