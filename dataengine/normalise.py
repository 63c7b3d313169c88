"""uint8 pixels to what a network takes, on the device, the same for every backend."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from dataengine.buffers import Buffers
from dataengine.errors import DfxError

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.uint8)


class Normalise:
    """(x / 255 - mean) / std by channel, computed in float32 and handed out as `dtype`; uint8 leaves pixels alone."""

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        mean: Sequence[float],
        std: Sequence[float],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        """`shape` is (V, B, H, W, 3). Raises DfxError for a dtype that is none of DTYPES, and constants that are not
        three numbers each, or whose std is not above 0."""
        if dtype not in DTYPES:
            raise DfxError(f"dtype {dtype} is none of {', '.join(map(str, DTYPES))}")
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise DfxError(f"mean {tuple(mean)} and std {tuple(std)} are not three numbers each, std above 0")
        self._dtype = dtype
        # Constants for a whole row of pixels: torch is several times slower broadcasting over three channels alone.
        self._scale = torch.tensor([1 / (255 * s) for s in std], device=device).repeat(shape[-2])
        self._shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=device).repeat(shape[-2])
        self._buffers = Buffers(shape, torch.float32) if device.type == "cpu" else None

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(V, B, H, W, 3) uint8 to `dtype`, same shape; `images` is left as it is."""
        if self._dtype == torch.uint8:
            return images
        floats = self._buffers.take() if self._buffers else torch.empty_like(images, dtype=torch.float32)
        lines = floats.copy_(images).view(-1, self._scale.numel())
        torch.addcmul(self._shift, lines, self._scale, out=lines)
        return floats.to(self._dtype)
