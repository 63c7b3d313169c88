"""The script that times the demo."""

from __future__ import annotations

from pathlib import Path

import pytest

import cli.demo
from benchmarks.gpu import demo
from benchmarks.gpu.demo import STEPS, TINY, measure
from benchmarks.gpu.record import Record


def test_without_ray_the_demo_is_recorded_as_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    record = Record("demo", "cpu", {})
    measure(record, TINY)
    assert record.rows == []
    assert record.not_measured == [{"on": "cpu", "why": "Ray is not installed"}]


def test_on_a_gpu_the_same_machine_is_measured_with_it_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    seen = []
    monkeypatch.setattr(demo, "timed", lambda scale, environment: seen.append(environment) or {"all": 1.0})
    record = Record("demo", "cuda", {}, out=tmp_path)
    record._machine = {"gpus": ["a GPU"]}
    measure(record, TINY)
    assert seen == [{}, {"CUDA_VISIBLE_DEVICES": ""}]
    assert [row["on"] for row in record.rows] == ["cuda", "cpu"]


def test_a_demo_that_breaks_is_recorded_with_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr(demo, "RUN", "raise SystemExit('no room')")
    record = Record("demo", "cpu", {})
    measure(record, TINY)
    assert record.not_measured == [{"on": "cpu", "why": "exit code 1: no room"}]


def test_every_step_that_the_demo_times_has_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    for step in STEPS[:-1]:
        monkeypatch.setattr(cli.demo, f"_{step}", lambda out, scale: None)
    assert tuple(cli.demo.run_demo(Path("demo"), TINY)["seconds"]) == STEPS
