from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataengine.errors import DfxError
from dataengine.order import Balanced
from trainers.config import TrainConfig


def test_settings_survive_json() -> None:
    config = TrainConfig(data=("a@method=real,x", "b"), loss="ce+supcon", frames_per_clip=8, lr=1e-4, size=96)
    for one in (config, replace(config, mix=("c",), samples=100)):
        assert TrainConfig.of(json.loads(json.dumps(one.as_dict()))) == one


def test_an_unknown_setting_is_named_with_the_nearest() -> None:
    with pytest.raises(DfxError, match="unknown training setting 'epoch'; did you mean epochs"):
        TrainConfig.of({"data": ["a"], "epoch": 3})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": ()}, "no store to train on"),
        ({"data": "shards/ff++"}, "give a list"),
        ({"data": ("a@split=train",)}, "selects a split; leave it out"),
        ({"task": "detect"}, "did you mean detection"),
        ({"loss": "ce+subcon"}, r"did you mean supcon"),
        ({"policy": "balance"}, "did you mean balanced"),
        ({"policy": "mixed:a=1,b=2/balanced", "class_weights": "balanced"}, "count twice"),
        ({"policy": "shuffled:frames_per_clip=4", "frames_per_clip": 8}, "give it once"),
        ({"amp": "bf61"}, "did you mean bf16"),
        ({"class_weights": "balanced"}, "count twice; add --policy shuffled"),
        ({"epochs": 0}, "epochs is 0"),
        ({"batch": 1.5}, "batch is 1.5"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "seed is 4294967296; give a whole number from 0 to 4294967295"),
        ({"lr": 0.0}, "lr is 0.0"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0"),
        ({"warmup": 1.0}, "warmup is 1.0"),
        ({"ema": 1.0}, "ema is 1.0"),
        ({"layer_decay": 0.0}, "layer_decay is 0.0"),
        ({"optimizer": "adamx"}, "did you mean adam or adamw"),
        ({"schedule": "cosin"}, "did you mean cosine"),
        ({"frozen": "backbones"}, "did you mean backbone"),
        ({"loss": "supcon", "frozen": "backbone"}, "trains nothing that is kept"),
        ({"mix": ("b",)}, "mix and samples go together"),
        ({"samples": 64}, "mix and samples go together"),
        ({"mix": ("b",), "samples": 63}, "samples is 63, less than a batch of 64"),
        ({"mix": ("a",), "samples": 64}, "'a' is on both sides of the mix"),
        ({"mix": ("b@split=val",), "samples": 64}, "selects a split"),
        ({"mix": ("b",), "samples": 64, "task": "transformation"}, "not for transformation; leave it out"),
        ({"loss": "ce", "temperature": 0.1}, "temperature is of a loss on the embedding"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_once(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DfxError, match=message):
        TrainConfig(**{"data": ("a",), **settings})


def test_classes_are_those_of_the_task_unless_the_policy_names_them() -> None:
    assert TrainConfig(data=("a",), task="detection", policy="balanced").order == Balanced(by=("label",))
    assert TrainConfig(data=("a",), policy="balanced", frames_per_clip=4).order == Balanced(frames_per_clip=4)
    assert TrainConfig(data=("a",), policy="balanced:by=method+dataset").order == Balanced(by=("method", "dataset"))


def test_a_loss_on_patches_cuts_sixteen_unless_told_otherwise() -> None:
    assert TrainConfig(data=("a",)).patches is None
    assert TrainConfig(data=("a",), loss="ce+patchwise").patches == 16
    assert TrainConfig(data=("a",), loss="ce+patchwise", patches=4).patches == 4


def test_a_spec_of_augmentations_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert TrainConfig(data=("a",), augment="mine.toml").augment == str(tmp_path / "mine.toml")
