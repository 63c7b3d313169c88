"""Real processes: a loss is that of the whole batch, however many ranks divide it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, distributed, multiprocessing

from tests.trainers.losses.rank_program import CASES, WORLDS, run

pytestmark = pytest.mark.skipif(not distributed.is_available(), reason="this torch has no distributed")

Worlds = dict[int, dict[str, dict[str, Tensor]]]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    folder = tmp_path_factory.mktemp("worlds")
    # the imports take longer than all else: one server makes them, and its forks are the ranks
    preload = ["tests.trainers.losses.rank_program", "pytorch_metric_learning.losses"]
    multiprocessing.get_context("forkserver").set_forkserver_preload(preload)
    multiprocessing.start_processes(run, (str(folder),), nprocs=max(WORLDS), start_method="forkserver")
    return {world: torch.load(folder / f"world-{world}.pt", weights_only=True) for world in WORLDS}


def largest_difference(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Over all tensors, each relative to its largest entry, or to 1 where that is smaller."""
    assert found.keys() == expected.keys()
    return max(
        float((found[name] - value).abs().max() / value.abs().max().clamp(min=1)) for name, value in expected.items()
    )


@pytest.mark.parametrize("case", CASES)
def test_gradients_and_values_are_those_of_one_process(worlds: Worlds, case: str) -> None:
    assert largest_difference(worlds[2][case], worlds[1][case]) < 1e-6
    assert largest_difference(worlds[4][case], worlds[1][case]) < 1e-6


@pytest.mark.parametrize("case", CASES)
def test_every_trained_parameter_has_a_gradient(worlds: Worlds, case: str) -> None:
    without = {name for name, value in worlds[4][case].items() if not value.any()}
    head = {"head.weight", "head.bias"} if case == "supcon" else set()
    assert without == head
