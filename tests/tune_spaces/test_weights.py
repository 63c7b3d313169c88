from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest

from dataengine.errors import DfxError
from tune_spaces.weights import fetch_weights


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))


def test_weights_that_cannot_be_had_are_one_error_and_not_one_a_trial() -> None:
    said: list[str] = []
    with pytest.raises(DfxError, match="the weights of test_resnet could not be fetched"):
        fetch_weights(["test_resnet", "test_vit"], "imagenet", said.append)
    assert len(said) == 1
    assert said[0].startswith("the weights of test_resnet are being fetched")


def test_nothing_is_fetched_for_trials_that_start_from_none() -> None:
    said: list[str] = []
    fetch_weights(["test_resnet", "xception"], "none", said.append)
    assert said == []
