"""The loader: order + draws + fetch + a backend -> Batch, and the state that resumes it exactly."""

from __future__ import annotations

import math
import time
import weakref
from collections import Counter, deque
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch

from dataengine.augment import Augment, Draws, augment_preset, draw
from dataengine.backends import Decoded, Request, Setup, choose_backend, open_backend
from dataengine.backends.cpu import Scratch, decode_sample
from dataengine.backends.slices import usable_cpus
from dataengine.batches import BadBudget, BadSample, BadSamples, Batch
from dataengine.errors import DfxError, MediaError, StateError, unknown_name
from dataengine.fetch import Shards
from dataengine.normalise import Normalise
from dataengine.order import Order, Policy, counter_hash
from dataengine.store import Rows

Ints = npt.NDArray[np.int64]

STATE_FORMAT = 1
_PLANNED_AT_ONCE = 2048  # positions whose rows and draws are computed together: numpy is slow on short arrays


class Loader:
    """Streams `rows` as batches on a device: one rank's part of global batches of `batch` samples.

    Which sample stands where, and what is drawn for it, follow from (rows, policy, augmentation, seed, epoch,
    position) alone, so any number of threads, either backend, and any world size give the same global stream.

    Training drops the ragged end of an epoch and needs a `batch` that the world size divides; a sample that cannot
    be read is replaced by another of its class, with that one's row. Evaluation hands out every sample once and pads
    the end; a sample that cannot be read has `valid` False. Both are listed in `bad`, up to `budget`.

    Each `iter(loader)` runs through the rest of the current epoch and then moves on to the next one. Leaving it early
    keeps the position: the next one goes on with the next sample. One runs at a time: a new one ends the last.

    Raises DfxError for settings that cannot work, and while iterating StoreError past the budget.
    """

    def __init__(
        self,
        rows: Rows,
        labels: Ints,
        *,
        batch: int,
        mode: Literal["train", "eval"],
        policy: Policy | None = None,
        augment: str | Augment = "none",
        size: int = 224,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        device: str | torch.device = "cpu",
        backend: str = "auto",
        threads: int | None = None,
        dtype: torch.dtype = torch.float32,
        mean: tuple[float, float, float] = (0.485, 0.456, 0.406),
        std: tuple[float, float, float] = (0.229, 0.224, 0.225),
        prefetch: int = 2,
        budget: BadBudget | None = None,
    ) -> None:
        """`labels` int64, one a row. `policy` None: shuffled in training, sequential in evaluation. `threads` None:
        as many as this process may use CPUs. `dtype` uint8: not normalised; else `mean` and `std` (of [0, 1]) are
        taken off on the device. `prefetch`: batches that are worked on ahead."""
        if mode not in ("train", "eval"):
            raise unknown_name("mode", mode, ("train", "eval"))
        if len(labels) != len(rows):
            raise DfxError(f"{len(labels)} labels for {len(rows)} rows; give one a row")
        if not 0 <= rank < world_size:
            raise DfxError(f"rank {rank} is not within a world of {world_size}")
        threads = usable_cpus() if threads is None else threads
        for name, value in (("batch", batch), ("size", size), ("prefetch", prefetch), ("threads", threads)):
            if value < 1:
                raise DfxError(f"{name} is {value}; give at least 1")
        self._rows = rows
        self._labels = np.asarray(labels, dtype=np.int64)
        self._batch, self._train, self._seed = batch, mode == "train", seed
        self._rank, self._world_size = rank, world_size
        self._policy = policy or Policy(name="shuffled" if self._train else "sequential")
        self._augment = augment_preset(augment) if isinstance(augment, str) else augment
        self._order = Order(self._policy, rows, seed)
        self._epoch = self._position = 0
        self._complete = False  # the last batch of the epoch was handed out, here and not before a restore
        if self._train:
            self._check_batch()
        self._widths, self._heights = (rows.column(side).astype(np.int64) for side in ("width", "height"))
        self._device = torch.device(device)
        chosen, self.backend_reason = choose_backend(backend, self._device)
        self._size = size
        self._shards = Shards(rows)
        setup = Setup(
            read=self._shards.read,
            size=size,
            views=self._augment.views,
            batch=math.ceil(batch / world_size),
            threads=threads,
            prefetch=prefetch,
            device=self._device,
        )
        self._backend = open_backend(chosen, setup)
        shape = (setup.views, setup.batch, size, size, 3)
        self._normalise = Normalise(shape, mean=mean, std=std, dtype=dtype, device=self._device)
        self._bad = BadSamples(rows, budget or BadBudget())
        self._classes: dict[int, Ints] = {}
        self._running: weakref.ref[Generator[Batch]] | None = None
        self.wait_s = 0.0
        """Seconds that `next` took in all: what the consumer waited for input."""
        self.fallbacks: Counter[str] = Counter()
        """Why batches went to the cpu path instead of the backend's own: reason -> batches."""

    def _check_batch(self) -> None:
        batch, ranks = self._batch, self._world_size
        if batch % ranks:
            near = max(ranks, round(batch / ranks) * ranks)
            raise DfxError(f"a batch of {batch} cannot be divided among {ranks} ranks; take a batch of {near}")
        length = self._order.length(0)
        if length < batch:
            raise DfxError(f"an epoch of {length} samples holds no batch of {batch}; take a batch of at most {length}")

    @property
    def backend(self) -> str:
        """The name of the backend that decodes."""
        return self._backend.name

    @property
    def bad(self) -> list[BadSample]:
        """The samples that could not be read so far, each once."""
        return self._bad.found

    def __len__(self) -> int:
        """Batches in a whole epoch."""
        length = self._order.length(self._epoch)
        return length // self._batch if self._train else math.ceil(length / self._batch)

    def __iter__(self) -> Iterator[Batch]:
        self._stop()
        if self._complete:  # left after the last batch, as zip() does: the next epoch is due, not an empty rest
            self._go_to(self._epoch + 1, 0)
        stream = self._stream()
        self._running = weakref.ref(stream)
        return stream

    def _stop(self) -> None:
        running = self._running() if self._running else None
        if running is not None:
            running.close()
        self._running = None

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of `epoch`; where that is the current one, the position stays (it may just be restored)."""
        if epoch != self._epoch:
            self._go_to(epoch, 0)

    def _go_to(self, epoch: int, position: int) -> None:
        self._stop()
        self._epoch, self._position, self._complete = epoch, position, False

    def close(self) -> None:
        """End the stream and its threads, and let go of the shards."""
        self._stop()
        self._backend.close()
        self._shards.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, as small JSON: the samples handed out count, not those worked on ahead."""
        return {**self._stream_identity(), "epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken. World size, rank, threads and backend may differ; for the same global batches
        `batch` may not. Raises StateError, naming both sides, where the state is another stream's."""
        for key, ours in self._stream_identity().items():
            theirs = state.get(key)
            if theirs != ours:
                raise StateError(
                    f"the saved state is another stream's: its {key} is {theirs}, this loader's is {ours}; "
                    "make the loader as it was, or start anew without the state"
                )
        epoch, position = state.get("epoch"), state.get("position")
        for name, value in (("epoch", epoch), ("position", position)):
            if not isinstance(value, int) or value < 0:
                raise StateError(f"the saved state's {name} is {value}; the state is damaged, start anew without it")
        length = self._order.length(int(state["epoch"]))
        if state["position"] > length:
            raise StateError(f"the saved state's position is {position} of {length}; start anew without it")
        self._go_to(int(state["epoch"]), int(state["position"]))

    def _stream_identity(self) -> dict[str, Any]:
        return {
            "format": STATE_FORMAT,
            **self._rows.identity(),
            "policy": asdict(self._policy),
            "augment": self._augment.digest,
            "seed": self._seed,
        }

    def _stream(self) -> Generator[Batch]:
        plans: deque[_Plan] = deque()
        length = self._order.length(self._epoch)
        stop = length - self._batch + 1 if self._train else length

        def requests() -> Iterator[Request]:
            for plan in self._plans(stop, length):
                plans.append(plan)
                yield plan.request

        results = self._backend.stream(requests())
        try:
            while True:
                began = time.perf_counter()
                decoded = next(results, None)
                if decoded is None:
                    break
                plan = plans.popleft()
                batch = self._finish(plan, decoded)
                self._position, self._complete = plan.end, plan.end >= stop
                self.wait_s += time.perf_counter() - began
                yield batch
        finally:
            results.close()
        self._epoch, self._position, self._complete = self._epoch + 1, 0, False

    def _plans(self, stop: int, length: int) -> Iterator[_Plan]:
        """This rank's parts of the global batches that begin before position `stop`."""
        epoch, part = self._epoch, math.ceil(self._batch / self._world_size)
        within = np.arange(self._rank * part, (self._rank + 1) * part, dtype=np.int64)
        starts = np.arange(self._position, stop, self._batch, dtype=np.int64)
        at_once = max(1, _PLANNED_AT_ONCE // part)
        for first in range(0, len(starts), at_once):
            chunk = starts[first : first + at_once, None]
            positions = chunk + within
            real = (within < self._batch) & (positions < length)
            rows = np.full(positions.shape, -1, dtype=np.int64)
            rows[real] = self._order.rows(positions[real], epoch)
            draws = self._draw(epoch, positions.reshape(-1), rows.reshape(-1))
            for i, start in enumerate(chunk[:, 0].tolist()):
                request = Request(rows[i], draws.part(slice(i * part, (i + 1) * part)))
                yield _Plan(epoch, positions[i], request, start + self._batch)

    def _draw(self, epoch: int, positions: Ints, rows: Ints) -> Draws:
        views = np.arange(self._augment.views, dtype=np.int64)[:, None]
        return draw(self._augment, self._seed, epoch, positions, views, self._widths[rows], self._heights[rows])

    def _finish(self, plan: _Plan, decoded: Decoded) -> Batch:
        if decoded.fallback:
            self.fallbacks[decoded.fallback] += 1
        rows = plan.request.rows.copy()
        valid = rows >= 0
        images = decoded.images.to(self._device, non_blocking=True)
        failed = dict(decoded.failures)
        for i in np.flatnonzero(valid).tolist():
            if i not in failed:
                self._bad.good()
                continue
            self._bad.add(int(rows[i]), failed[i])
            valid[i] = self._train
            if self._train:
                rows[i], pixels = self._replace(plan, i)
                images[:, i] = torch.from_numpy(pixels).to(self._device)
        images = self._normalise(images).permute(0, 1, 4, 2, 3)
        if not valid.all():
            images[:, torch.from_numpy(~valid).to(self._device)] = 0
        labels = np.where(rows >= 0, self._labels[rows], -1)
        return Batch(
            images[0] if len(images) == 1 else images,
            torch.from_numpy(labels).to(self._device, non_blocking=True),
            torch.from_numpy(rows),
            torch.from_numpy(valid),
        )

    def _replace(self, plan: _Plan, i: int) -> tuple[int, npt.NDArray[np.uint8]]:
        """Another sample of the class of the bad one at place `i`: its row and its pixels (V, size, size, 3)."""
        label = int(self._labels[plan.request.rows[i]])
        if label not in self._classes:
            self._classes[label] = np.flatnonzero(self._labels == label)
        candidates = self._classes[label]
        position = plan.positions[i : i + 1]
        pixels = np.empty((self._augment.views, self._size, self._size, 3), dtype=np.uint8)
        attempt = 0
        while True:  # the budget ends it, where no sample of the class can be read
            attempt += 1
            drawn = counter_hash(self._seed, plan.epoch, position, attempt) % np.uint64(len(candidates))
            rows = candidates[drawn.astype(np.int64)]
            try:
                data = self._shards.read(int(rows[0]))
                decode_sample(data, self._draw(plan.epoch, position, rows), 0, pixels, Scratch())
            except MediaError as error:
                self._bad.add(int(rows[0]), str(error))
            else:
                return int(rows[0]), pixels


@dataclass(frozen=True, slots=True)
class _Plan:
    epoch: int
    positions: Ints
    request: Request
    end: int
    """Position of the next global batch."""
