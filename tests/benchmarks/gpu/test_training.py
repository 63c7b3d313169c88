"""The measurement of training, at its smallest."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.gpu import training
from benchmarks.gpu.record import Record
from benchmarks.gpu.training import Case, add_row, cases, config_of, found_in
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    store = write_store(tmp_path_factory.mktemp("training") / "store", clips={"train": 4})
    return config_of(Case(model="test_resnet"), str(store), batch=4, device="cpu", size=32, threads=1)


def test_a_row_holds_what_the_input_costs_and_where_it_costs_too_much_why(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "GOAL", -1.0)
    record = Record("training", "cpu", {})
    add_row(record, config, steps=2, rounds=2)
    (row,) = record.rows
    assert 0 <= row["host_wait"] <= 1
    assert 0 <= row["idle"] < 1
    assert min(row[f"images_per_s{of}"] for of in ("", "_cached", "_of_loader")) > 0
    assert (row["size"], row["backend"], row["peak_torch_bytes"], row["device_bytes"]) == (32, "cpu", None, None)
    assert list(row["stages_ms"]) == ["storage", "decode", "augmentation"]
    assert {"aten::convolution_backward"} <= {line["operation"] for line in row["trace"]["top"]}
    assert row["trace"]["waits_for_the_gpu"] == {}


def test_a_row_that_fails_is_recorded_with_its_reason(config: TrainConfig) -> None:
    record = Record("training", "cpu", {})
    add_row(record, config_of(Case(model="no_net"), config.data[0], batch=4, device="cpu"), steps=1, rounds=1)
    assert not record.rows
    assert "unknown model 'no_net'" in record.not_measured[0]["why"]


def test_what_is_above_the_goal_is_named() -> None:
    rows = [
        {"model": "a", "augment": "crop", "compile": False, "host_wait": 0.01, "idle": 0.0},
        {"model": "b", "augment": "crop", "compile": True, "host_wait": 0.3, "idle": 0.019},
    ]
    found = found_in(rows)
    assert found["host_wait_above_goal"] == ["b, crop, compiled"]
    assert found["idle_above_goal"] == []
    assert (found["most_host_wait"], found["most_idle"]) == (0.3, 0.019)


def test_every_network_is_measured_plain_before_any_is_compiled() -> None:
    order = [(case.model, case.compile) for case in cases(training.FIVE) if case.augment == "crop"]
    assert [model for model, compiled in order[:5]] == list(training.FIVE)
    assert not any(compiled for _, compiled in order[:5])
    assert sorted(model for model, compiled in order if compiled) == sorted(training.FIVE)


def test_the_networks_are_those_that_the_documentation_names() -> None:
    text = (Path(training.__file__).parents[2] / "docs" / "models.md").read_text()
    five = text.partition("## Five backbones")[2]
    assert [line.split("`")[1] for line in five.splitlines() if line.startswith("| `")] == list(training.FIVE)
