"""Which part of each global batch is a rank's, which rows are in it and what is drawn for them: no pixel is touched."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from dataengine.augment import Augment, Draws, draw
from dataengine.backends import Request
from dataengine.errors import DfxError, unknown_name
from dataengine.order import Blocked, Mixed, Order, Policy, Sequential, Shuffled, parse_policy, text_hash
from dataengine.selection import Rows
from dataengine.world import rank_of

Ints = npt.NDArray[np.int64]

_AT_ONCE = 2048  # positions whose rows and draws are computed together: numpy is slow on short arrays


@dataclass(frozen=True, slots=True)
class Part:
    """A rank's part of one global batch."""

    epoch: int
    positions: Ints
    """(B,)."""
    request: Request
    end: int
    """Position of the next global batch."""


class Parts:
    """A rank's parts of an epoch's global batches of `batch` positions.

    In training the ragged end of an epoch is left out, so that every rank has as many batches of the same size; in
    evaluation places past the end are padded with row -1.
    """

    def __init__(
        self,
        rows: Rows,
        policy: str | Policy | None,
        augment: Augment,
        *,
        batch: int,
        mode: Literal["train", "eval"],
        seed: int,
        rank: int | None,
        world_size: int | None,
        gathered: bool,
    ) -> None:
        """As `Loader` takes them. Raises DfxError where they cannot be had together."""
        if mode not in ("train", "eval"):
            raise unknown_name("mode", mode, ("train", "eval"))
        if batch < 1:
            raise DfxError(f"batch is {batch}; give at least 1")
        rank, world_size = rank_of(rank, world_size)
        self.train = mode == "train"
        self.policy = _policy_of(policy, train=self.train)
        self._order, self._augment, self._seed, self._batch = Order(self.policy, rows, seed), augment, seed, batch
        if self.train:
            check_batch(self.policy, self.length(0), batch=batch, world_size=world_size, gathered=gathered)
        self.size = math.ceil(batch / world_size)
        """Samples in a part."""
        self._within = np.arange(rank * self.size, (rank + 1) * self.size, dtype=np.int64)
        self._widths, self._heights = rows.column("width"), rows.column("height")
        self._samples = _hashes(rows.strings("key")) if augment.fixed else None

    def length(self, epoch: int) -> int:
        """Positions in an epoch."""
        return self._order.length(epoch)

    def stop(self, epoch: int) -> int:
        """No global batch of `epoch` begins at this position or past it."""
        length = self.length(epoch)
        return length - self._batch + 1 if self.train else length

    def batches(self, epoch: int) -> int:
        """Global batches in a whole epoch."""
        return math.ceil(self.stop(epoch) / self._batch)

    def samples(self, epoch: int) -> int:
        """This rank's samples in a whole epoch, padding left out."""
        if self.train:
            return self.batches(epoch) * self.size
        whole, rest = divmod(self.length(epoch), self._batch)
        mine = np.count_nonzero(self._within < self._batch)
        return int(whole * mine + np.count_nonzero(self._within < min(rest, self._batch)))

    def rows(self, epoch: int, position: int) -> Iterator[tuple[int, Ints, Ints]]:
        """From the global batch that begins at `position` on, some batches at a time: the position of the first, and
        this rank's positions and rows, (batches, B); row -1 is padding."""
        length, stop = self.length(epoch), self.stop(epoch)
        step = max(1, _AT_ONCE // self.size) * self._batch
        for first in range(position, stop, step):
            starts = np.arange(first, min(first + step, stop), self._batch, dtype=np.int64)
            positions = starts[:, None] + self._within
            real = (self._within < self._batch) & (positions < length)
            rows = np.full(positions.shape, -1, dtype=np.int64)
            rows[real] = self._order.rows(positions[real], epoch)
            yield first, positions, rows

    def __call__(self, epoch: int, position: int) -> Iterator[Part]:
        """The parts from the global batch that begins at `position` to the end of the epoch."""
        for first, positions, rows in self.rows(epoch, position):
            draws = self.draw(epoch, positions.reshape(-1), rows.reshape(-1))
            for i in range(len(positions)):
                request = Request(rows[i], draws.part(slice(i * self.size, (i + 1) * self.size)))
                yield Part(epoch, positions[i], request, first + (i + 1) * self._batch)

    def draw(self, epoch: int, positions: Ints, rows: Ints) -> Draws:
        """What is drawn for `rows` at `positions`, both (B,): draws of (V, B)."""
        views = np.arange(self._augment.views, dtype=np.int64)[:, None]
        seed, at = self._seed, positions
        if self._samples is not None:  # a fixed degradation goes with the sample, whatever is selected beside it
            seed, epoch, at = 0, 0, self._samples[rows].astype(np.int64)
        widths, heights = (sides[rows].astype(np.int64) for sides in (self._widths, self._heights))
        return draw(self._augment, seed, epoch, at, views, widths, heights)


def labels_of(rows: Rows, labels: Ints | None) -> Ints:
    """The labels as int64, one a row; None: the index's own, 0 real and 1 fake. Raises DfxError for another
    number of them, and for fractions."""
    chosen = np.asarray(rows.column("label") if labels is None else labels)
    if not np.issubdtype(chosen.dtype, np.integer):
        raise DfxError(f"labels are {chosen.dtype}; give whole numbers")
    if chosen.shape != (len(rows),):
        raise DfxError(f"labels of shape {chosen.shape} for {len(rows)} rows; give one a row")
    return chosen.astype(np.int64)


def _hashes(texts: list[str]) -> npt.NDArray[np.uint64]:
    return np.array([text_hash(text) for text in texts], dtype=np.uint64)


def _policy_of(policy: str | Policy | None, *, train: bool) -> Policy:
    """A policy as it is, or of its text; None: shuffled in training, sequential in evaluation."""
    if policy is None:
        return Shuffled() if train else Sequential()
    return parse_policy(policy) if isinstance(policy, str) else policy


def shards_at_once(policy: Policy) -> int | None:
    """How many shards an order under `policy` reads in turn before it moves on to others; None: all of them."""
    match policy:
        case Sequential():
            return 1
        case Blocked():
            return policy.window
        case Mixed():
            within = shards_at_once(policy.within)
            return within and within * len(policy.weights)
    return None


def check_batch(policy: Policy, length: int, *, batch: int, world_size: int, gathered: bool) -> None:
    """Raises DfxError, naming the nearest batch that works, where training cannot have global batches of `batch`.

    `policy.group` positions belong together: they must lie in one rank's part, or, where embeddings are `gathered`
    from all ranks, in one global batch.
    """
    parts = 1 if gathered else world_size
    unit = math.lcm(world_size, parts * policy.group)
    if batch % unit:
        near = max(unit, min(round(batch / unit), length // unit) * unit)
        if batch % world_size:
            why = f"cannot be divided among {world_size} ranks"
        else:
            why = f"does not hold whole groups of {policy.group} on each of {parts} ranks"
        if unit > world_size and batch % world_size:
            why += f" with whole groups of {policy.group}"
        raise DfxError(f"a batch of {batch} {why}; take a batch of {near}")
    if length < batch:
        raise DfxError(
            f"an epoch of {length} samples holds no batch of {batch}; take a batch of at most {length // unit * unit}"
            if length >= unit
            else f"an epoch of {length} samples is less than the smallest batch, {unit}; select more, or set a length"
        )
