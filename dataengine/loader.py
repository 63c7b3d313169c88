"""The loader: order + draws + fetch + a backend -> Batch, and the state that resumes it exactly."""

from __future__ import annotations

import operator
import weakref
from collections import Counter, deque
from collections.abc import Generator, Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from dataengine.augment import Augment, augment_preset
from dataengine.backends import Decoded, GpuDecoding, Request, Setup, choose_backend, open_backend
from dataengine.backends.cpu import Scratch, decode_sample
from dataengine.backends.slices import usable_cpus
from dataengine.batches import BadBudget, BadSamples, Batch
from dataengine.errors import DfxError, MediaError, StoreError
from dataengine.fetch import Shards
from dataengine.normalise import Normalise
from dataengine.order import Policy
from dataengine.parts import Part, Parts, labels_of, shards_at_once
from dataengine.replacement import Replacements
from dataengine.selection import Rows
from dataengine.sending import send
from dataengine.stream import Stream

Ints = npt.NDArray[np.int64]

STATE_FORMAT = 2


class Loader(Stream):
    """Streams `rows` as batches on a device: one rank's part of global batches of `batch` samples.

    Which sample stands where, and what is drawn for it, follow from (rows, policy, augmentation, seed, epoch,
    position) alone, so any number of threads, either backend, and any world size give the same global stream.

    Training drops the ragged end of an epoch and needs a `batch` that the world size divides; a sample that cannot
    be read is replaced by another of its class, with that one's row. Evaluation hands out every sample once and pads
    the end; a sample that cannot be read has `valid` False. Both are listed in `bad`, up to `budget`.

    How it is iterated, left and taken up again: see `Stream`.

    Raises DfxError for settings that cannot work, and while iterating StoreError past the budget.
    """

    def __init__(
        self,
        rows: Rows,
        labels: Ints | None = None,
        *,
        batch: int,
        mode: Literal["train", "eval"],
        policy: str | Policy | None = None,
        augment: str | Augment = "none",
        size: int = 224,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        gathered: bool = False,
        device: str | torch.device = "cpu",
        backend: str = "auto",
        threads: int | None = None,
        dtype: torch.dtype = torch.float32,
        mean: tuple[float, float, float] = (0.485, 0.456, 0.406),
        std: tuple[float, float, float] = (0.229, 0.224, 0.225),
        prefetch: int = 2,
        gpu: GpuDecoding | None = None,
        budget: BadBudget | None = None,
    ) -> None:
        """`labels` int64, one a row; None: the index's own, 0 real and 1 fake. `batch` counts all ranks' samples.
        `policy` None: shuffled in training, sequential in evaluation. `rank` and `world_size` None: those of
        `torch.distributed`, or of torchrun. `gathered`: embeddings are gathered from all ranks, so that a group of
        the policy may be spread over them. `threads` None: as many as this process may use CPUs. `dtype` uint8: not
        normalised; else `mean` and `std` (of [0, 1]) are taken off on the device. `prefetch`: batches that are worked
        on ahead. `gpu` None: as `GpuDecoding` decodes."""
        super().__init__()
        threads = usable_cpus() if threads is None else threads
        for name, value in (("size", size), ("prefetch", prefetch), ("threads", threads)):
            if value < 1:
                raise DfxError(f"{name} is {value}; give at least 1")
        seed = operator.index(seed)  # numpy's integers are no JSON
        self._rows, self._labels, self._seed = rows, labels_of(rows, labels), seed
        self._augment = augment_preset(augment) if isinstance(augment, str) else augment
        self._parts = Parts(
            rows,
            policy,
            self._augment,
            batch=batch,
            mode=mode,
            seed=seed,
            rank=rank,
            world_size=world_size,
            gathered=gathered,
        )
        self._device = _device_of(device)
        chosen, self.backend_reason = choose_backend(backend, self._device)
        self._size = size
        self._shards = Shards(rows)
        self._shards.check_fits(shards_at_once(self._parts.policy))
        setup = Setup(
            read=self._shards.read,
            size=size,
            views=self._augment.views,
            batch=self._parts.size,
            threads=threads,
            prefetch=prefetch,
            device=self._device,
            operations=self._augment.operations,
            gpu=gpu or GpuDecoding(),
        )
        self._backend = open_backend(chosen, setup)
        weakref.finalize(self, self._shards.close)  # at the interpreter's end before the threads are waited for
        shape = (setup.views, setup.batch, size, size, 3)
        self._normalise = Normalise(shape, mean=mean, std=std, dtype=dtype, device=self._device)
        self._bad = BadSamples(rows, budget or BadBudget())
        self._replacements = Replacements(self._labels, seed)
        self.fallbacks: Counter[str] = Counter()
        """Why batches went to the cpu path instead of the backend's own: reason -> batches."""

    @property
    def backend(self) -> str:  # type: ignore[override]
        """The name of the backend that decodes."""
        return self._backend.name

    def _release(self) -> None:
        self._shards.close()  # first: a thread may be waiting for a download
        self._backend.close()

    def _identity(self) -> dict[str, Any]:
        return {
            "format": STATE_FORMAT,
            **self._rows.identity(),
            "policy": str(self._parts.policy),
            "augment": self._augment.digest,
            "seed": self._seed,
        }

    def _made(self) -> Generator[tuple[Part, Batch]]:
        handed_in: deque[Part] = deque()

        def requests() -> Iterator[Request]:
            for part in self._parts(self._epoch, self._position):
                handed_in.append(part)
                yield part.request

        self._shards.follow(rows for _, _, rows in self._parts.rows(self._epoch, self._position))
        results = self._backend.stream(requests())
        try:
            for decoded in results:
                part = handed_in.popleft()
                yield part, self._finish(part, decoded)
        finally:
            results.close()

    def _finish(self, part: Part, decoded: Decoded) -> Batch:
        if decoded.fallback:
            self.fallbacks[decoded.fallback] += 1
        rows = part.request.rows.copy()
        valid = rows >= 0
        images = decoded.images.to(self._device, non_blocking=True)
        last = -1
        for i, reason in decoded.failures:
            if valid[last + 1 : i].any():
                self._bad.good()
            last = i
            self._bad.add(int(rows[i]), reason)
            valid[i] = self._parts.train
            if self._parts.train:
                rows[i], pixels = self._replace(part, i)
                images[:, i] = send(pixels, self._device)
        if valid[last + 1 :].any():
            self._bad.good()
        images = self._normalise(images).permute(0, 1, 4, 2, 3)
        if not valid.all():
            images.masked_fill_(send(~valid, self._device)[None, :, None, None, None], 0)
        labels = np.where(rows >= 0, self._labels[rows], -1)
        return Batch(
            images[0] if len(images) == 1 else images,
            send(labels, self._device),
            torch.from_numpy(rows),
            torch.from_numpy(valid),
        )

    def _replace(self, part: Part, i: int) -> tuple[int, npt.NDArray[np.uint8]]:
        """Another sample of the class of the bad one at place `i`: its row and its pixels (V, size, size, 3)."""
        position = part.positions[i : i + 1]
        pixels = np.empty((self._augment.views, self._size, self._size, 3), dtype=np.uint8)
        for row in self._replacements.of(int(part.request.rows[i]), part.epoch, int(position[0])):
            draws = self._parts.draw(part.epoch, position, np.array([row]))
            try:
                decode_sample(self._shards.read(row), draws, 0, pixels, Scratch())
            except MediaError as error:
                self._bad.add(row, str(error))  # raises past the budget
            else:
                return row, pixels
        raise StoreError("no sample of the selection can be read; see `dfx verify STORE`")


def _device_of(device: str | torch.device) -> torch.device:
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise DfxError(f"'{device}' is no device; give cpu, cuda or cuda:N") from None
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise DfxError(f"device {chosen} is not there ({torch.cuda.device_count()} GPUs found); give device='cpu'")
    return chosen
