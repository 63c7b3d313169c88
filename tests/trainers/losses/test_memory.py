"""No loss may take more than a few matrices of pairs: some in the library take a matrix of pairs of pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from tests.trainers.losses.made_batch import CLASSES, made, objective_of
from trainers.losses.spec import TERMS

ROWS = 1024


class Made(TorchDispatchMode):
    """Adds up the bytes of every tensor that is made, forward and backward: no less than the peak of those alive."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes, self._known = 0, set[int]()
        self._alive: list[torch.UntypedStorage] = []

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_iter(out):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() not in self._known:
                storage = tensor.untyped_storage()
                self._known.add(storage.data_ptr())
                self._alive.append(storage)  # so that no other gets its address
                self.bytes += storage.nbytes()
        return out


def bytes_made(name: str, rows: int) -> int:
    logits, features, _ = made(rows)
    labels = torch.arange(rows) % CLASSES
    features.requires_grad_()
    objective = objective_of(name)
    with Made() as made_here:
        objective(logits, features, labels, views=2)[0].backward()
    return made_here.bytes


@pytest.mark.parametrize("name", TERMS)
def test_memory_is_a_few_matrices_of_pairs(name: str) -> None:
    pairs = ROWS**2 if TERMS[name].projected else ROWS * CLASSES
    rows = ROWS * 4 * 128
    assert bytes_made(name, ROWS) < 200 * pairs + 60 * rows
