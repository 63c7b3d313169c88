"""The whole batch on every rank, with its gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed


def gathered(rows: Tensor, views: int) -> Tensor:
    """(R * N, ...) from each rank's (N, ...); without a process group, or in one of one rank, `rows` itself.

    Rows are view-major on each rank and in the result: it is what one process would have, whose batch is the ranks'
    parts one after the other. Every rank must give as many rows. Float rows keep their gradient: rank r gets the sum
    over all ranks of the gradients of its part. Where every rank computes the same loss from the result, the mean over
    ranks of the model's gradients is thereby the gradient of that loss.
    """
    if not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1:
        return rows
    parts: Tensor = _Gather.apply(rows)
    by_view = parts.view(len(parts), views, -1, *rows.shape[1:])  # rank, view, sample
    return by_view.transpose(0, 1).reshape(-1, *rows.shape[1:])


class _Gather(torch.autograd.Function):
    """(N, ...) on each of R ranks to (R, N, ...) on all.

    torch's own differentiable collectives have changed their names and places between its versions.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        rows = rows.contiguous()
        parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, rows)
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total[distributed.get_rank()]
