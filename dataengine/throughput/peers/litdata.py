"""litdata: chunks of the stored JPEGs, decoded by litdata itself, torchvision's transforms on tensors."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch.utils.data import DataLoader

from dataengine.throughput.peers.transforms import torchvision_transform, transformed
from dataengine.throughput.peers.workers import WorkerEntry
from dataengine.throughput.race import Race

_CHUNK = "64MB"  # as its documentation has it


class LitdataEntry(WorkerEntry):
    """The JPEGs go into the chunks as they are."""

    def __init__(self, race: Race) -> None:
        from litdata.streaming.writer import BinaryWriter
        from PIL import Image

        super().__init__(race)
        self._transform = torchvision_transform(race.crop, race.settings.size, pil=False)
        self._root = race.folder / "litdata"
        writer = BinaryWriter(str(self._root), chunk_bytes=_CHUNK)
        for number, path in enumerate(sorted(race.tree(jpeg_only=True).glob("*/*"))):
            writer[number] = {"image": Image.open(path), "label": int(path.parent.name)}
        writer.done()
        writer.merge()

    def make(self, settings: dict[str, Any]) -> DataLoader[Any]:
        """See `WorkerEntry.make`."""
        from litdata import StreamingDataLoader, StreamingDataset

        dataset = StreamingDataset(str(self._root), shuffle=True, drop_last=True)
        batch = self.race.settings.batch
        collate = partial(transformed, self._transform)  # it runs in the workers
        loader: DataLoader[Any] = StreamingDataLoader(dataset, batch_size=batch, collate_fn=collate, **settings)
        return loader
