"""What the ranks of every life logged, held against one undisturbed run, and what a training has had of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.soak.rank import Entry, Seat, Stream, entries, log_path, open_loader, read_log


@dataclass(frozen=True, slots=True)
class Step:
    """A global batch."""

    epoch: int
    next: list[int]
    """Epoch and position of the next global batch, as the loader's state has them."""
    samples: list[Entry]


def undisturbed(stream: Stream) -> list[Step]:
    """The steps of a training in one process that nothing interrupts."""
    steps = []
    with open_loader(stream, Seat()) as loader:
        for epoch in range(stream.epochs):
            for batch in loader:
                state = loader.state_dict()
                steps.append(Step(epoch, [state["epoch"], state["position"]], entries(batch)))
    return steps


class Ledger:
    """The steps that a training has taken for good: those logged before the state was saved, each in one life.

    Later ones are lost with the life, as a training's are, and taken again; whatever was logged is compared.
    """

    def __init__(self, stream: Stream, expected: list[Step]) -> None:
        self._batch = stream.batch
        self.expected = expected
        self._pixels: dict[tuple[str, int, int], int] = {}
        """(backend, step, place) -> hash of the image: backends round differently, but each always alike."""
        self._times: dict[tuple[int, int], int] = {}
        self.taken: list[Step] = []
        self.wrong: list[str] = []

    @property
    def replayed(self) -> int:
        """Samples that were logged more than once."""
        return sum(times > 1 for times in self._times.values())

    def end_of_life(self, folder: Path, life: int, seat: Seat, saved: int) -> None:
        """Take in what the ranks of a life logged, of which `saved` steps are for good."""
        logged: dict[int, dict[int, Entry]] = {}
        for rank in range(seat.world_size):
            for step, place, entry in self._read(log_path(folder, life, rank), rank, seat.world_size):
                self._compare(step, place, entry, seat.backend)
                if place in logged.setdefault(step, {}):
                    self.wrong.append(f"life {life}, step {step}: two samples at place {place}")
                logged[step][place] = entry
        for step in range(len(self.taken), saved):
            samples = logged.get(step, {})
            if len(samples) != self._batch:
                self.wrong.append(f"life {life}, step {step}: {len(samples)} samples logged before it was saved")
            expected = self.expected[step]
            self.taken.append(Step(expected.epoch, expected.next, [samples[i] for i in sorted(samples)]))

    def _read(self, path: Path, rank: int, world_size: int) -> Iterator[tuple[int, int, Entry]]:
        """(step, place in the global batch, sample), padding past the batch left out."""
        for line in read_log(path):
            step = line["step"]
            expected = self.expected[step] if step < len(self.expected) else None
            if expected is None or (line["epoch"], line["next"]) != (expected.epoch, expected.next):
                right = f"undisturbed {expected.epoch}, {expected.next}" if expected else "past the last one"
                self.wrong.append(f"{path.name}, step {step}: in epoch {line['epoch']}, next {line['next']}, {right}")
                continue
            first = rank * math.ceil(self._batch / world_size)
            for place, sample in enumerate(line["samples"], start=first):
                entry = Entry(*sample)
                if place < self._batch:
                    yield step, place, entry
                elif entry.row != -1:  # a part may reach past the batch where the world size does not divide it
                    self.wrong.append(f"{path.name}, step {step}: row {entry.row} stands past the end of the batch")

    def _compare(self, step: int, place: int, entry: Entry, backend: str) -> None:
        expected = self.expected[step].samples[place]
        self._times[step, place] = self._times.get((step, place), 0) + 1
        own = expected.pixels if backend == "cpu" else entry.pixels
        pixels = self._pixels.setdefault((backend, step, place), own)
        if (entry.row, entry.label, entry.valid, entry.pixels) != (
            expected.row,
            expected.label,
            expected.valid,
            pixels,
        ):
            self.wrong.append(f"step {step}, place {place}, {backend}: {entry}, undisturbed {expected}")


def epochs(steps: list[Step]) -> list[npt.NDArray[np.int64]]:
    """The rows of each epoch in their global order, padding left out."""
    found: dict[int, list[int]] = {}
    for step in steps:
        found.setdefault(step.epoch, []).extend(entry.row for entry in step.samples if entry.row >= 0)
    return [np.array(rows, dtype=np.int64) for _, rows in sorted(found.items())]
