"""Arrays to a device, without the host waiting for it."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch


def send(values: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    """`values` as a tensor on `device`; on the CPU it shares their memory.

    To a GPU they are copied from pinned memory, queued as any work: a copy from pageable memory may wait for all that
    was queued before it (CUDA's runtime API, "API synchronization behavior").
    """
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor
