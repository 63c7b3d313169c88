"""torchvision's ImageFolder over extracted files, decoded with PIL, in a DataLoader."""

from __future__ import annotations

from typing import Any

from torch.utils.data import DataLoader

from dataengine.throughput.peers.transforms import torchvision_transform
from dataengine.throughput.peers.workers import WorkerEntry
from dataengine.throughput.race import Race


class ImageFolderEntry(WorkerEntry):
    """Each image a file, as a PyTorch tutorial has it."""

    def __init__(self, race: Race) -> None:
        super().__init__(race)
        self._transform = torchvision_transform(race.crop, race.settings.size, pil=True)
        self._root = race.tree()

    def make(self, settings: dict[str, Any]) -> DataLoader[Any]:
        """See `WorkerEntry.make`."""
        from torchvision.datasets import ImageFolder

        dataset = ImageFolder(str(self._root), self._transform)
        return DataLoader(dataset, self.race.settings.batch, shuffle=True, **settings)
