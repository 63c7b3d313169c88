"""A running mean of weights whose update the host need not wait for."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class RunningMean(AveragedModel):
    """The exponential running mean of a model's weights and buffers, as `AveragedModel` computes and saves it.

    `AveragedModel` sends its count of updates to the device each time, for which the host waits until all work there is
    done; an exponential mean makes no use of the count.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """`decay` in [0, 1): the share of the mean that stays."""
        super().__init__(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Move the mean towards the model's present weights; the first time it becomes them."""
        if self.n_averaged == 0:  # a count on the CPU
            super().update_parameters(model)
            return
        assert self.multi_avg_fn is not None
        pairs: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = defaultdict(lambda: ([], []))
        ours = chain(self.module.parameters(), self.module.buffers())
        for mean, value in zip(ours, chain(model.parameters(), model.buffers()), strict=True):
            means, values = pairs[mean.dtype]
            means.append(mean.detach())
            values.append(value.detach())
        for means, values in pairs.values():
            self.multi_avg_fn(means, values, self.n_averaged)
        self.n_averaged += 1
