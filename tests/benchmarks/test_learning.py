"""The table of what learns: its plan, and the page that is made from a result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import learning
from tests.trainers.tiny_store import write_store
from trainers.losses.spec import CLASSIFICATION, TERMS
from trainers.models.catalogue import MODELS

TINY = {"size": 32, "epochs": 2, "batch": 12, "lr": 0.01}


def test_every_named_model_and_every_loss_is_in_the_plan_once() -> None:
    entries = learning.plan()
    assert len({entry.name for entry in entries}) == len(entries)
    assert {entry.model for entry in entries if entry.model != learning.SMALL} == set(MODELS)
    losses = [entry.loss for entry in entries if entry.model == learning.SMALL]
    assert sorted(losses) == sorted([*CLASSIFICATION, *(f"ce+{term}" for term in TERMS), "supcon"])


def test_every_entry_of_the_plan_is_a_training_that_can_be_asked_for() -> None:
    for entry in learning.plan():
        assert entry.config(Path("store")).loss == entry.loss


def test_settings_are_given_to_models_and_losses_that_there_are() -> None:
    assert set(learning.OF_MODEL) <= set(MODELS)
    assert set(learning.OF_LOSS) <= {entry.loss for entry in learning.plan()}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("learning")
    clips = {"train": 8, "val": 4, "test": 12}
    own, other = (write_store(root / name, clips=clips, seed=seed) for seed, name in enumerate(("own", "other")))
    return own, other


def test_an_entry_has_learnt_where_its_interval_lies_above_chance_and_a_finished_run_is_kept(
    stores: tuple[Path, Path], tmp_path: Path
) -> None:
    entry = learning.Entry(task="attribution", model="test_resnet", loss="ce+centre", settings=TINY)
    first = learning.learn(entry, tmp_path, *stores)
    assert first["chance"] == pytest.approx(1 / 3)
    assert first["learnt"] == (first["own"]["interval"][0] > first["chance"])
    weights = tmp_path / entry.name / "model.safetensors"
    written = weights.stat().st_mtime_ns
    assert learning.learn(entry, tmp_path, *stores) == first
    assert weights.stat().st_mtime_ns == written


def test_a_training_that_cannot_be_had_is_told_and_has_not_learnt(stores: tuple[Path, Path], tmp_path: Path) -> None:
    entry = learning.Entry(task="attribution", model="xception", loss="ce", settings={**TINY, "size": 16})
    row = learning.learn(entry, tmp_path, *stores)
    assert (row["learnt"], "16" in row["error"]) == (False, True)


def result(*rows: dict[str, Any]) -> dict[str, Any]:
    """As it is kept, read back."""
    made = {
        "file": "benchmarks/results/learning-x.json",
        "machine": {"processor": "X", "usable_cpus": 2},
        "load": 2.0,
        "versions": {"torch": "2", "timm": "1"},
        "workers": 2,
        "scale": {"clips": 36, "stored_frames": 8},
        "settings": learning.COMMON,
        "seconds": {"training": 600.0, "all": 360.0, "kept": 0},
        "rows": rows,
    }
    return json.loads(json.dumps(made))


def test_the_page_holds_a_line_for_each_row_with_its_figures() -> None:
    row = {
        "task": "detection",
        "model": "mesonet4",
        "loss": "ce",
        "settings": {"lr": 0.01},
        "params": 12345,
        "epochs": 9,
        "seconds": 12.3,
        "chance": 0.5,
        "own": {"value": 0.75, "interval": [0.6, 0.9], "groups": 10},
        "other": {"value": 0.5, "interval": None, "groups": 12},
        "learnt": True,
    }
    failed = {"task": "attribution", "model": learning.SMALL, "loss": "ce+circle", "settings": {}}
    text = learning.page(result(row, {**failed, "error": "the loss exploded", "learnt": False}))
    assert "| `mesonet4`, detection | 12,345 | 9 | 12 | 0.750 [0.600, 0.900] | 0.500 (no interval) | yes |" in text
    assert "| `ce+circle` | | | | the loss exploded | | no |" in text
    assert "**1 of 2 have learnt.**" in text
    assert "- `mesonet4`: lr 0.01" in text
