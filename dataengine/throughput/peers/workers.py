"""Peers that work in the processes of a PyTorch DataLoader."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from dataengine.throughput.race import Race

_STUCK_S = 120.0  # a worker that gives no batch for so long has failed without a word


class WorkerEntry(ABC):
    """An `Entry` over a DataLoader that gives (images, labels), with as many workers as the others have threads.

    Workers stay between rounds, as PyTorch's guide advises, and wait idle: each hands out its share of an epoch and
    nothing of the next one. Nothing is pinned: the batches stay on the CPU.
    """

    def __init__(self, race: Race) -> None:
        self.race = race
        self._loader: DataLoader[Any] | None = None

    @abstractmethod
    def make(self, settings: dict[str, Any]) -> DataLoader[Any]:
        """The loader, with `settings` as its own, and `batch_size` where the dataset gives single samples."""

    def open(self) -> None:
        """See `Entry.open`."""
        self._loader = self.make(
            {
                "num_workers": self.race.settings.threads,
                "persistent_workers": True,
                "pin_memory": False,
                "timeout": _STUCK_S,
                "worker_init_fn": ignore_interrupt,
            }
        )

    def batches(self) -> Iterator[torch.Tensor]:
        """See `Entry.batches`."""
        if self._loader is None:
            raise RuntimeError("not open")
        for images, _ in self._loader:
            yield images

    def close(self) -> None:
        """See `Entry.close`."""
        self._loader = None  # its workers end with it


def ignore_interrupt(worker: int) -> None:
    """Ctrl-C reaches every process; the parent alone answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
