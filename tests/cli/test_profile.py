"""`dfx profile`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.profile import profile
from dataengine.errors import DfxError
from dataengine.store import Store

QUICK = ["--model", "test_resnet", "--size", "32", "--batch", "6", "--threads", "1", "--device", "cpu"]
QUICK += ["--steps", "2", "--rounds", "1"]


def call(*words: str) -> str:
    app = typer.Typer()
    app.command()(profile)
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def test_the_profile_is_shown_drawn_and_written(whole_store: Store, tmp_path: Path) -> None:
    out, told = tmp_path / "p.png", tmp_path / "p.json"
    output = call("--data", str(whole_store.root), *QUICK, "--out", str(out), "--json", str(told))
    payload = json.loads(told.read_text())
    assert list(payload)[:4] == ["bound", "lost", "verdict", "storage_note"]
    for shown in ("read + hash", "step on cached batches", payload["verdict"], payload["storage_note"]):
        assert shown in output
    assert out.read_bytes().startswith(b"\x89PNG")


def test_a_figure_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    for name, error in (("profile.txt", "let it end in .png, .svg, .pdf"), ("no/p.png", "is no folder")):
        with pytest.raises(DfxError, match=error):
            call("--data", "nowhere", "--out", str(tmp_path / name))


def test_a_store_that_is_missing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DfxError, match="no store at nowhere") as raised:
        call("--data", "nowhere", *QUICK, "--out", str(tmp_path / "p.png"))
    assert "\n" not in str(raised.value)
