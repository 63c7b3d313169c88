"""`dfx robustness`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.robustness import robustness
from dataengine.errors import DfxError

app = typer.Typer()
app.command()(robustness)
CPU = ("--device", "cpu", "--backend", "cpu", "--threads", "1")


def call(*words: object) -> str:
    found = CliRunner().invoke(app, [*(str(word) for word in words), *CPU], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return " ".join(found.output.split())


def test_each_kind_is_a_line_of_levels_and_the_json_holds_every_metric(
    small_run: Path, small_stores: Path, tmp_path: Path
) -> None:
    file, figure = tmp_path / "curves.json", tmp_path / "curves.svg"
    stores = ("--on", small_stores / "home", "--on", small_stores / "away")
    output = call(small_run, *stores, "--kinds", "noise, jpeg", "--json", file, "--figure", figure)
    assert "small on home, real or fake: AUC, 30 clips" in output
    home, away = json.loads(file.read_text())
    assert (home["store"], away["store"]) == ("home", "away")
    curves = home["curves"]
    assert "attribution_balanced_accuracy" in curves
    assert list(curves["detection_auc"]) == ["jpeg", "noise"]
    assert f"{curves['detection_auc']['noise'][5]['value']:.3f}" in output
    assert figure.read_text().startswith("<?xml")


def test_an_unknown_metric_or_kind_is_one_line(small_run: Path, small_stores: Path) -> None:
    with pytest.raises(DfxError, match=r"unknown metric 'auc'"):
        call(small_run, "--on", small_stores / "away", "--metric", "auc")
    with pytest.raises(DfxError, match=r"unknown degradation 'blurr'; did you mean blur\?"):
        call(small_run, "--on", small_stores / "away", "--kinds", "blurr")
