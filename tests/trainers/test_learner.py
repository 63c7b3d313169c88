"""One step of a training, on a GPU."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.problem import Methods
from trainers.training import Training


@pytest.mark.gpu
@pytest.mark.parametrize("more", [{}, {"ema": 0.5}, {"patches": 2, "patch_px": 16}])
def test_a_step_never_makes_the_host_wait_for_the_device(tmp_path: Path, more: dict[str, Any]) -> None:
    store = str(write_store(tmp_path / "store", clips={"train": 8}))
    config = TrainConfig(data=(store,), model="test_resnet", weights="none", size=32, batch=6, device="cuda", **more)
    with Training(config, Methods(config, validated=False), fresh=True) as training:
        training.learner.to_train()
        batches = iter(training.stream)
        for batch in islice(batches, 3):  # what is allocated and chosen once
            training.learner.learn(batch)
        torch.cuda.set_sync_debug_mode("error")
        try:
            for batch in islice(batches, 4):
                training.learner.learn(batch)
        finally:
            torch.cuda.set_sync_debug_mode("default")
