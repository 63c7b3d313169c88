"""What the processes of one training tell each other. In a single process every function is the plain thing itself.

Rank and world size are those of `torch.distributed`: whoever starts the processes (Ray Train, torchrun, a plain spawn)
sets it up, and nothing here knows who that was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import torch
import torch.distributed as dist

T = TypeVar("T")


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this one is, from 0; the first one writes the run."""
    return dist.get_rank() if world_size() > 1 else 0


def gathered(value: T) -> list[T]:
    """Every process's value, by rank. What a process sends is read by its siblings alone."""
    if world_size() == 1:
        return [value]
    values: list[T] = [value] * world_size()
    dist.all_gather_object(values, value)
    return values


def largest(value: int, device: torch.device) -> int:
    """The largest of every process's values."""
    if world_size() == 1:
        return value
    found = torch.tensor(value, device=device)
    dist.all_reduce(found, op=dist.ReduceOp.MAX)
    return int(found)


def mean(values: torch.Tensor) -> torch.Tensor:
    """The mean of every process's tensor, elementwise."""
    if world_size() == 1:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / world_size()


def share(tensors: Iterable[torch.Tensor]) -> None:
    """Fill every process's tensors, in place, with the first one's."""
    if world_size() > 1:
        for tensor in tensors:
            dist.broadcast(tensor, src=0)
