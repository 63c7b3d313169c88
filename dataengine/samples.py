"""The stream as a plain PyTorch dataset of decoded images, for those who want their own transforms."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain, islice
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import IterableDataset, get_worker_info

from dataengine.augment import augment_preset
from dataengine.backends.cpu import Scratch, decode_image
from dataengine.batches import BadBudget, BadSamples
from dataengine.errors import MediaError
from dataengine.fetch import Shards
from dataengine.order import Policy
from dataengine.parts import Parts, labels_of, shards_at_once
from dataengine.replacement import Replacements
from dataengine.selection import Rows

Ints = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]


def to_tensor(image: Pixels) -> torch.Tensor:
    """(H, W, 3) to a tensor (3, H, W), uint8."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


class Samples(IterableDataset[tuple[Any, int, int]]):
    """One rank's samples in the loader's order, each as (transform(image), label, row).

    `image` is RGB uint8 (H, W, 3) at its stored size, `row` its index in `rows`. In
    `DataLoader(samples, batch_size=samples.part, num_workers=N)` worker n decodes every N-th batch, so in training the
    batches are the very ones of a `Loader` of the same settings, for any N. Call `set_epoch` before each epoch, as for
    a DistributedSampler; it reaches persistent workers too.

    A sample that cannot be read is replaced in training by one of its class and left out in evaluation, each time with
    a warning, until the budget is spent: then StoreError. OpenCV is set to one thread, for forked workers' sake.
    """

    def __init__(
        self,
        rows: Rows,
        labels: Ints | None = None,
        *,
        batch: int,
        mode: Literal["train", "eval"],
        policy: str | Policy | None = None,
        transform: Callable[[Pixels], Any] = to_tensor,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        budget: BadBudget | None = None,
    ) -> None:
        """As for `Loader`: `batch` counts all ranks' samples, `labels` None are the index's own, `policy` None is
        shuffled in training and sequential in evaluation, `rank` and `world_size` None are those of the process."""
        super().__init__()
        self._rows, self._labels, self._seed = rows, labels_of(rows, labels), operator.index(seed)
        self._transform, self._budget = transform, budget or BadBudget()
        self._parts = Parts(
            rows,
            policy,
            augment_preset("none"),
            batch=batch,
            mode=mode,
            seed=seed,
            rank=rank,
            world_size=world_size,
            gathered=False,
        )
        with closing(Shards(rows)) as shards:
            shards.check_fits(shards_at_once(self._parts.policy))
        self._at = torch.zeros(2, dtype=torch.int64)  # epoch, position
        self._at.share_memory_()  # type: ignore[no-untyped-call]  # persistent workers see it change
        cv2.setNumThreads(1)

    @property
    def part(self) -> int:
        """This rank's samples in a global batch: the `batch_size` for a DataLoader."""
        return self._parts.size

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        """The next pass runs through `epoch`, from the global batch that begins at `position` on."""
        self._at[0], self._at[1] = operator.index(epoch), operator.index(position)

    def __len__(self) -> int:
        """Samples of this rank in a whole epoch."""
        return self._parts.samples(int(self._at[0]))

    def __iter__(self) -> Iterator[tuple[Any, int, int]]:
        epoch, position = (int(value) for value in self._at)
        worker = get_worker_info()
        number, workers = (worker.id, worker.num_workers) if worker else (0, 1)

        def batches() -> Iterator[tuple[Ints, Ints]]:
            chunks = self._parts.rows(epoch, position)
            every = (batch for _, *chunk in chunks for batch in zip(*chunk, strict=True))
            return islice(every, number, None, workers)

        with closing(_Reader(self._rows, self._labels, self._seed, self._parts.train, self._budget)) as reader:
            reader.shards.follow(rows for _, rows in batches())
            for positions, rows in batches():
                for at, row in zip(positions[rows >= 0].tolist(), rows[rows >= 0].tolist(), strict=True):
                    if (found := reader.read(row, epoch, at)) is not None:
                        row, image = found
                        yield self._transform(image), int(self._labels[row]), row


class _Reader:
    """Decodes samples, in a worker or in the process itself."""

    def __init__(self, rows: Rows, labels: Ints, seed: int, train: bool, budget: BadBudget) -> None:
        self.shards, self._scratch = Shards(rows), Scratch()
        self._bad, self._replacements, self._train = BadSamples(rows, budget), Replacements(labels, seed), train
        self.close = self.shards.close

    def read(self, row: int, epoch: int, position: int) -> tuple[int, Pixels] | None:
        """The row that is there, and its image; None where it cannot be read and nothing may replace it."""
        candidates = chain([row], self._replacements.of(row, epoch, position) if self._train else ())
        for candidate in candidates:  # the budget ends it
            try:
                image = decode_image(self.shards.read(candidate), self._scratch).copy()
            except MediaError as error:
                self._bad.add(candidate, str(error))
                warnings.warn(f"a sample cannot be read: {self._bad.found[-1].key}: {error}", stacklevel=3)
            else:
                if candidate == row:
                    self._bad.good()
                return candidate, image
        return None
