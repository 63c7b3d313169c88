"""Streams whose batches take turns: one of the first, one of the second, and so on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dataengine.batches import BadSample, Batch
from dataengine.errors import StateError
from dataengine.stream import Stream


class Alternating:
    """Several training loaders as one stream, with what of a `Stream` a training uses.

    An epoch is as many whole turns as the shortest of them has batches; each goes on to its own next epoch then.
    A batch's `rows` count in the rows of the stream that it is of. As with a `Stream`, leaving an epoch early keeps the
    position.
    """

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = tuple(streams)
        self._epoch = self._done = 0

    @property
    def backend(self) -> str:
        """The name of the backend that decodes."""
        return self._streams[0].backend

    @property
    def bad(self) -> list[BadSample]:
        """The samples that could not be read so far."""
        return [bad for stream in self._streams for bad in stream.bad]

    @property
    def wait_s(self) -> float:
        """Seconds that the consumer waited for input."""
        return sum(stream.wait_s for stream in self._streams)

    def __len__(self) -> int:
        """Batches in a whole epoch."""
        return len(self._streams) * min(len(stream) for stream in self._streams)

    def __iter__(self) -> Iterator[Batch]:
        if self._done == len(self):  # left after the last batch: the next epoch is due, not an empty rest
            self._go_to(self._epoch + 1, 0)
        running = [iter(stream) for stream in self._streams]
        stop = len(self)
        while self._done < stop:
            batch = next(running[self._done % len(running)])
            self._done += 1
            yield batch
        self._go_to(self._epoch + 1, 0)

    def _go_to(self, epoch: int, done: int) -> None:
        self._epoch, self._done = epoch, done
        if not done:  # within an epoch each stands where it stands, one perhaps at its end already
            for stream in self._streams:
                stream.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, as small JSON; after an epoch's last batch that is the start of the next one."""
        over, done = divmod(self._done, len(self))
        sides = [stream.state_dict() for stream in self._streams]
        return {"epoch": self._epoch + over, "done": done, "sides": sides}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken. Raises StateError where it is another stream's."""
        if len(state.get("sides", ())) != len(self._streams):
            raise StateError("the saved state is of another number of streams; start anew without it")
        for stream, side in zip(self._streams, state["sides"], strict=True):
            stream.load_state_dict(side)
        self._go_to(state["epoch"], state["done"])

    def close(self) -> None:
        """End the streams."""
        for stream in self._streams:
            stream.close()
