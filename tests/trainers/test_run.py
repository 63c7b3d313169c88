from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataengine.errors import StateError
from tests.trainers.report.synthetic_runs import write_run
from trainers.config import TrainConfig
from trainers.run import default_name, open_run

CONFIG = {"format": 1, "train": {"task": "detection", "data": ["a"]}, "taxonomy": {}, "sources": [], "model": {}}
RESULT = {"metric": "detection_balanced_accuracy", "best_epoch": 0, "validation": [], "unreadable": []}


def test_a_runs_default_name_tells_it_apart() -> None:
    config = TrainConfig(data=("shards/ff++-c23",), loss="ce+supcon")
    assert default_name(config) == "attribution-ff++-c23-tf_efficientnetv2_b0-ce+supcon-s0"
    chosen = TrainConfig(data=("a/b@method=real,x", "c"), task="detection", model="resnet50", seed=3)
    assert default_name(chosen) == "detection-b-method=real,x+c-resnet50-ce-s3"
    ordered = TrainConfig(data=("a",), policy="groups:classes=4,per_class=8", augment="mine/weak.toml")
    assert default_name(ordered) == "attribution-a-tf_efficientnetv2_b0-ce-groups_classes=4,per_class=8-weak-s0"


def test_a_folder_without_a_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=f"no run at {tmp_path}; train one"):
        open_run(tmp_path)


def test_an_unfinished_run_names_the_command_that_goes_on(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(StateError, match=r"is not finished; continue it with `dfx train detection --out .* --resume`"):
        open_run(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "config.json is damaged"),
        ('{"format": 1}', "config.json is damaged"),
        ('{"format": 9}', "run format 9; .* reads format 1"),
    ],
)
def test_a_run_that_cannot_be_read_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(StateError, match=message):
        open_run(tmp_path)


def test_a_run_that_lost_its_weights_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    (tmp_path / "metrics.jsonl").touch()
    with pytest.raises(StateError, match=r"model.safetensors is missing"):
        open_run(tmp_path)


def test_a_result_without_its_facts_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(StateError, match=r"result.json is damaged; train the run again"):
        open_run(tmp_path)


@pytest.mark.parametrize("text", ["junk", "[]", '{"epoch": 0}', "\udcff"])
def test_damaged_epochs_name_the_file(tmp_path: Path, text: str) -> None:
    run = open_run(write_run(tmp_path / "run"))
    (run.path / "metrics.jsonl").write_text(text, errors="surrogateescape")
    with pytest.raises(StateError, match=r"metrics.jsonl is damaged; train the run again"):
        run.metrics()
