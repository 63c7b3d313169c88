"""Numbers that a device has made, read once they are there: without waiting for what it was given since."""

from __future__ import annotations

import torch
from torch import Tensor


class Readback:
    """Values on their way to the host.

    `Tensor.tolist()` is queued behind all that its stream was given before the call. A loss that is read while the next
    step is under way would so be waited for until that step is done too, and the GPU has nothing left to do.
    """

    def __init__(self, values: Tensor) -> None:
        """`values` (N,), on any device; they must not be written to afterwards."""
        self._values = values.to("cpu", non_blocking=True)
        self._there: torch.cuda.Event | None = None
        if values.is_cuda:
            # blocking: a host that spins meanwhile would take a core from the loader's threads
            self._there = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            self._there.record(torch.cuda.current_stream(values.device))

    def numbers(self) -> list[float]:
        """The values, as soon as the device has made them."""
        if self._there is not None:
            self._there.synchronize()
        found: list[float] = self._values.tolist()
        return found
