"""mosaicml-streaming: MDS shards of the stored JPEGs, decoded with PIL, torchvision's transforms."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from dataengine.throughput.peers.transforms import torchvision_transform, transformed
from dataengine.throughput.peers.workers import WorkerEntry
from dataengine.throughput.race import Race


class MosaicEntry(WorkerEntry):
    """Local shards, uncompressed, shuffled by its default algorithm."""

    def __init__(self, race: Race) -> None:
        super().__init__(race)
        from streaming import MDSWriter

        self._transform = torchvision_transform(race.crop, race.settings.size, pil=True)
        self._root = str(race.folder / "mds")
        with MDSWriter(out=self._root, columns={"image": "bytes", "label": "int"}) as writer:
            for data, label in race.samples():
                writer.write({"image": bytes(data), "label": label})

    def make(self, settings: dict[str, Any]) -> DataLoader[Any]:
        """See `WorkerEntry.make`."""
        from streaming import StreamingDataLoader, StreamingDataset

        batch = self.race.settings.batch
        with _temporary_files_in(self.race.folder):
            dataset = StreamingDataset(local=self._root, shuffle=True, batch_size=batch)
        collate = partial(transformed, self._from_bytes)  # it runs in the workers
        loader: DataLoader[Any] = StreamingDataLoader(dataset, batch_size=batch, collate_fn=collate, **settings)
        return loader

    def _from_bytes(self, data: bytes) -> torch.Tensor:
        from PIL import Image

        return self._transform(Image.open(BytesIO(data)).convert("RGB"))


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """A dataset leaves its lock files where temporary files go: there they are removed with the rest."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
