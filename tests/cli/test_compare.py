from __future__ import annotations

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from cli.compare import compare
from dataengine.errors import StateError
from tests.trainers.report.synthetic_runs import write_run

app = typer.Typer()
app.command()(compare)


def test_each_metric_has_its_difference_and_interval(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, skill={"lab": skill}) for name, skill in (("a", 3.0), ("b", 1.0))]
    found = CliRunner().invoke(app, [*map(str, runs), "--on", "lab", "--json", str(tmp_path / "out.json")])
    assert found.exit_code == 0, found.output
    for text in ("by clip", "A - B", "method: macro-F1", "lab, split test"):
        assert text in found.output
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["clip"]["detection_auc"]["difference"] > 0


def test_other_rows_are_one_line(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / str(groups), groups=groups) for groups in (10, 12)]
    found = CliRunner().invoke(app, [*map(str, runs), "--on", "lab"])
    assert isinstance(found.exception, StateError)
    assert "different rows" in str(found.exception)
