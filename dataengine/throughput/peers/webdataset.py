"""webdataset over tars, batched in the workers as its documentation advises; decoded with PIL or libjpeg-turbo."""

from __future__ import annotations

from typing import Any

import webdataset as wds
from torch.utils.data import DataLoader

from dataengine.throughput.peers.transforms import TurboTransform, stacked, torchvision_transform
from dataengine.throughput.peers.workers import WorkerEntry
from dataengine.throughput.race import Race

_SHUFFLE = 1000  # samples in the shuffle buffer, webdataset's own example


class WebDatasetEntry(WorkerEntry):
    """Tars of one length, so that each worker hands out as many whole batches."""

    def __init__(self, race: Race, *, decoder: str) -> None:
        """`decoder`: "pil" with torchvision's transforms, or "turbo" with OpenCV's resize."""
        super().__init__(race)
        crop, size = race.crop, race.settings.size
        self._pil = decoder == "pil"
        self._transform = torchvision_transform(crop, size, pil=True) if self._pil else TurboTransform(crop, size)
        self._tars = [str(path) for path in race.tars(jpeg_only=not self._pil)]

    def make(self, settings: dict[str, Any]) -> DataLoader[Any]:
        """See `WorkerEntry.make`."""
        samples = wds.WebDataset(self._tars, shardshuffle=len(self._tars)).shuffle(_SHUFFLE)
        images = samples.decode("pil" if self._pil else _label).to_tuple("jpg;png", "cls").map_tuple(self._transform)
        dataset = images.batched(self.race.settings.batch, collation_fn=stacked, partial=False)
        return DataLoader(dataset, batch_size=None, **settings)


def _label(key: str, data: bytes) -> int | None:
    return int(data) if key == ".cls" else None
