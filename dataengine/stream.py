"""A stream of batches that stands somewhere: it is iterated epoch by epoch, left, saved and taken up again exactly."""

from __future__ import annotations

import operator
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Any, Self

from dataengine.batches import BadSample, BadSamples, Batch
from dataengine.errors import StateError
from dataengine.parts import Part, Parts


class Stream(ABC):
    """Each `iter(stream)` runs through the rest of the current epoch and then moves on to the next one.

    Leaving it early keeps the position: the next one goes on with the next sample. One runs at a time: a new one ends
    the last. A subclass says what it is a stream of (`_identity`) and makes the batches (`_made`).
    """

    _parts: Parts
    _bad: BadSamples
    backend: str
    """The name of what decodes."""

    def __init__(self) -> None:
        self._epoch = self._position = 0
        self._complete = False  # the last batch of the epoch was handed out, here and not before a restore
        self._running: weakref.ref[Generator[Batch]] | None = None
        self.wait_s = 0.0
        """Seconds that `next` took in all: what the consumer waited for input."""

    @abstractmethod
    def _identity(self) -> dict[str, Any]:
        """What two streams must share for one's state to be the other's, as JSON; it holds no epoch and position."""

    @abstractmethod
    def _made(self) -> Generator[tuple[Part, Batch]]:
        """The batches from the current position to the end of the epoch, each with the part that it was made of."""

    @abstractmethod
    def _release(self) -> None:
        """End threads, and let go of files."""

    @property
    def bad(self) -> list[BadSample]:
        """The samples that could not be read so far, each once."""
        return self._bad.found

    def __len__(self) -> int:
        """Batches in a whole epoch."""
        return self._parts.batches(self._epoch)

    def __iter__(self) -> Iterator[Batch]:
        self._stop()
        if self._complete:  # left after the last batch, as zip() does: the next epoch is due, not an empty rest
            self._go_to(self._epoch + 1, 0)
        stream = self._stream()
        self._running = weakref.ref(stream)
        return stream

    def _stream(self) -> Generator[Batch]:
        stop = self._parts.stop(self._epoch)
        made = self._made()
        try:
            while True:
                began = time.perf_counter()
                if (found := next(made, None)) is None:
                    break
                part, batch = found
                self._position, self._complete = part.end, part.end >= stop
                self.wait_s += time.perf_counter() - began
                yield batch
        finally:
            made.close()
        self._epoch, self._position, self._complete = self._epoch + 1, 0, False

    def _stop(self) -> None:
        running = self._running() if self._running else None
        if running is not None:
            running.close()
        self._running = None

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of `epoch`; where that is the current one, the position stays (it may just be restored)."""
        if epoch != self._epoch:
            self._go_to(operator.index(epoch), 0)

    def _go_to(self, epoch: int, position: int) -> None:
        self._stop()
        self._epoch, self._position, self._complete = epoch, position, False

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, as small JSON: the samples handed out count, not those worked on ahead. After an
        epoch's last batch that is the start of the next one."""
        epoch, position = (self._epoch + 1, 0) if self._complete else (self._epoch, self._position)
        return {**self._identity(), "epoch": epoch, "position": position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken. World size, rank, threads and backend may differ; for the same global batches
        `batch` may not. Raises StateError, naming both sides, where the state is another stream's."""
        for key, ours in self._identity().items():
            theirs = state.get(key)
            if theirs != ours:
                raise StateError(
                    f"the saved state is another stream's: '{key}' is {theirs} there and {ours} here; "
                    "make the loader as it was, or start anew without the state"
                )
        epoch, position = state.get("epoch"), state.get("position")
        for name, value in (("epoch", epoch), ("position", position)):
            if not isinstance(value, int) or value < 0:
                raise StateError(f"the saved state's {name} is {value}; the state is damaged, start anew without it")
        length = self._parts.length(int(state["epoch"]))
        if state["position"] > length:
            raise StateError(f"the saved state's position is {position} of {length}; start anew without it")
        self._go_to(int(state["epoch"]), int(state["position"]))

    def close(self) -> None:
        """End the stream and its threads, and let go of the shards."""
        self._stop()
        self._release()

    def __reduce__(self) -> Any:
        name = type(self).__name__
        raise TypeError(
            f"a {name} has threads and open files and cannot be pickled; send its settings and state_dict()"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
