"""dfx's own loader, with each of its backends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from dataengine.errors import DfxError
from dataengine.loader import Loader
from dataengine.throughput.race import Race

_EPOCH = 1  # every round goes through the same epoch: the same order and the same windows


class OwnLoader:
    """An `Entry`: the loader to uint8 batches on `device`."""

    def __init__(self, race: Race, *, backend: str, device: str, **options: Any) -> None:
        """`options`: what else `Loader` takes, such as `prefetch` and `gpu`; `threads` in place of the race's."""
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise DfxError("no CUDA device")
        self._race, self._backend, self._device = race, backend, device
        self._options = {"threads": race.settings.threads, **options}
        self._loader: Loader | None = None

    def open(self) -> None:
        """See `Entry.open`."""
        settings = self._race.settings
        self._loader = Loader(
            self._race.rows,
            np.zeros(len(self._race.rows), dtype=np.int64),
            batch=settings.batch,
            mode="train",
            augment=settings.augment,
            size=settings.size,
            device=self._device,
            backend=self._backend,
            dtype=torch.uint8,
            **self._options,
        )

    def batches(self) -> Iterator[torch.Tensor]:
        """See `Entry.batches`."""
        if self._loader is None:
            raise RuntimeError("not open")
        self._loader.set_epoch(_EPOCH)
        for batch in self._loader:
            yield batch.images
        if self._device.startswith("cuda"):
            torch.cuda.synchronize()

    def close(self) -> None:
        """See `Entry.close`."""
        if self._loader is not None:
            self._loader.close()
