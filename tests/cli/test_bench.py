"""`dfx bench loader`."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from cli.bench import bench_loader
from dataengine.errors import StoreError
from dataengine.store import Store

app = typer.Typer()
app.command()(bench_loader)
QUICK = ["--size", "32", "--batch", "8", "--seconds", "0.001", "--rounds", "1", "--threads", "1"]


def test_bench_loader_shows_every_contender_and_writes_json(mini_store: Store, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [str(mini_store.root), *QUICK, "--json", str(tmp_path / "bench.json")])
    assert done.exit_code == 0, done.output
    assert "libjpeg-turbo alone" in done.output
    assert "not measured" in done.output or "DALI on GPU" in done.output
    payload = json.loads((tmp_path / "bench.json").read_text())
    assert {result["name"] for result in payload["results"]} >= {"raw_read", "bare_decode", "cpu"}


def test_bench_loader_on_a_folder_without_a_store_says_so(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [str(tmp_path), *QUICK])
    assert isinstance(done.exception, StoreError)
