"""`dfx bench loader`."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from cli.bench import bench_loader, show
from dataengine.errors import DfxError, StoreError
from dataengine.store import Store
from dataengine.throughput import CONTENDERS
from tests.dataengine.throughput.test_chart import REPORT, result

app = typer.Typer()
app.command()(bench_loader)
QUICK = ["--size", "32", "--batch", "8", "--seconds", "0.001", "--rounds", "1", "--threads", "1"]


def test_bench_loader_shows_every_contender_and_writes_json_and_chart(mini_store: Store, tmp_path: Path) -> None:
    names = "cpu,dali_cpu,dali_gpu,webdataset_turbo"
    files = ["--json", str(tmp_path / "bench.json"), "--chart", str(tmp_path / "bench.png")]
    done = CliRunner().invoke(app, [str(mini_store.root), *QUICK, "--only", names, *files])
    assert done.exit_code == 0, done.output
    assert "libjpeg-turbo alone" in done.output
    assert "not measured" in done.output or "DALI on GPU" in done.output
    payload = json.loads((tmp_path / "bench.json").read_text())
    measured = {result["name"] for result in payload["results"]}
    assert measured >= {"raw_read", "bare_decode", "cpu", "webdataset_turbo"}
    assert measured | set(payload["skipped"]) == {"raw_read", "bare_decode", *names.split(",")}
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_without_peers_only_dfx_is_measured(mini_store: Store, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [str(mini_store.root), *QUICK, "--no-peers", "--json", str(tmp_path / "bench.json")])
    assert done.exit_code == 0, done.output
    payload = json.loads((tmp_path / "bench.json").read_text())
    there = {result["name"] for result in payload["results"]} | set(payload["skipped"])
    assert there == {"raw_read", "bare_decode", "cpu", "dali_cpu", "dali_gpu"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--only", "cpu,fcv"], "ffcv"),
        (["--only", ""], "unknown contender ''"),
        (["--chart", "chart.exe"], ".png"),
        (["--chart", "absent/chart.png"], "no folder"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_measured(mini_store: Store, wrong: list[str], told: str) -> None:
    done = CliRunner().invoke(app, [str(mini_store.root), *QUICK, *wrong])
    assert isinstance(done.exception, DfxError)
    assert told in str(done.exception)


def test_bench_loader_on_a_folder_without_a_store_says_so(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [str(tmp_path), *QUICK])
    assert isinstance(done.exception, StoreError)


def test_the_table_fits_a_pipe_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr("cli.bench.console", Console(file=shown, width=80))
    monkeypatch.setattr("cli.console.console", Console(file=shown, width=80))
    results = [replace(result(one.name, 100_000), what=one.what, ours=1.5) for one in CONTENDERS]
    reading = replace(result("raw_read", 900_000), what="reading bytes", ours=0.01)
    url = "s3://bucket/ff++?region=nowhere"
    show(replace(REPORT, stores=[url], results=[*results, reading]))
    title, *lines = shown.getvalue().splitlines()
    assert title.startswith("s3://bucket/ff++: ")
    for one in CONTENDERS:
        assert any(line.startswith(f"{one.what} ") and "1.50x" in line for line in lines)
    assert not any("0.01x" in line for line in lines)


def test_only_names_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    told = CliRunner().invoke(app, ["--help"]).output
    assert all(one.name in told for one in CONTENDERS)
