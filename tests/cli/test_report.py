from __future__ import annotations

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from cli.report import report
from dataengine.errors import StateError
from tests.trainers.report.synthetic_runs import write_run, write_trials

app = typer.Typer()
app.command()(report)


def test_a_page_is_written_where_asked_and_said(tmp_path: Path) -> None:
    run, out = write_run(tmp_path / "run"), tmp_path / "out" / "page.html"
    found = CliRunner().invoke(app, [str(run), "--out", str(out), "--json", str(tmp_path / "page.json")])
    assert found.exit_code == 0, found.output
    assert "report:" in found.output
    assert out.read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "page.json").read_text())["report"] == str(out)


def test_a_sweep_alone_is_enough(tmp_path: Path) -> None:
    write_trials(tmp_path / "trials.parquet", [write_run(tmp_path / "run")])
    found = CliRunner().invoke(app, ["--sweep", str(tmp_path), "--out", str(tmp_path / "page.html")])
    assert found.exit_code == 0, found.output
    assert "The best trials" in (tmp_path / "page.html").read_text()


def test_nothing_to_report_is_an_error_that_says_what_to_name(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["--out", str(tmp_path / "page.html")])
    assert isinstance(found.exception, StateError)
    assert "run folders" in str(found.exception)
