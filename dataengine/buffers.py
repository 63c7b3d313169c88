"""Host memory for batches that is taken again once nobody holds it."""

from __future__ import annotations

import math
import weakref
from collections import deque

import numpy as np
import numpy.typing as npt
import torch


class Buffers:
    """Tensors of one shape and dtype; their memory comes back when the last tensor over it is gone.

    The operating system clears fresh pages as they are touched, which for a batch costs as much as scaling its images.
    """

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        self._shape, self._dtype = shape, dtype
        self._free: deque[npt.NDArray[np.uint8]] = deque()

    def take(self) -> torch.Tensor:
        """A contiguous tensor with undefined content. Safe for many threads."""
        try:
            memory = self._free.pop()
        except IndexError:
            memory = np.empty(math.prod(self._shape) * self._dtype.itemsize, dtype=np.uint8)
        lease = memory[:]  # a tensor's storage keeps this view alive, so its end tells that no tensor is left
        weakref.finalize(lease, self._free.append, memory).atexit = False
        return torch.from_numpy(lease).view(self._dtype).view(self._shape)
