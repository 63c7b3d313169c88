"""torchvision's batched `decode_jpeg` (nvJPEG on a GPU), then its crop, resize and flip on the device."""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch

from dataengine.errors import DfxError
from dataengine.throughput.peers.transforms import window
from dataengine.throughput.race import Race


class DecodeJpegEntry:
    """An `Entry` that reads nothing: torchvision has no reader for it, so the bytes are at hand, in its favour.

    Images are decoded one batch after the other, as its documentation has it, and are of different sizes once they are
    cropped: each is scaled by itself.
    """

    def __init__(self, race: Race, *, device: str) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise DfxError("no CUDA device")
        self._race, self._crop, self._device = race, race.crop, device
        samples = (bytearray(data) for data, _ in race.samples(jpeg_only=True))
        self._encoded = [torch.frombuffer(data, dtype=torch.uint8) for data in samples]

    def open(self) -> None:
        """See `Entry.open`: there is nothing to keep between rounds."""

    def batches(self) -> Iterator[torch.Tensor]:
        """See `Entry.batches`."""
        from torchvision.io import ImageReadMode, decode_jpeg

        batch, order = self._race.settings.batch, random.sample(self._encoded, len(self._encoded))
        for start in range(0, len(order), batch):
            decoded = decode_jpeg(order[start : start + batch], mode=ImageReadMode.RGB, device=self._device)
            yield torch.stack([self._transformed(image) for image in decoded])
        if self._device == "cuda":
            torch.cuda.synchronize()

    def close(self) -> None:
        """See `Entry.close`."""

    def _transformed(self, image: torch.Tensor) -> torch.Tensor:
        from torchvision.transforms.v2 import functional

        height, width = image.shape[-2:]
        left, top, w, h = window(self._crop, width, height)
        size = [self._race.settings.size] * 2
        scaled: torch.Tensor = functional.resized_crop(image, top, left, h, w, size, antialias=False)
        return scaled.flip(-1) if random.random() < self._crop.flip else scaled
