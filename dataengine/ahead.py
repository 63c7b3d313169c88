"""Downloads shards shortly before they are read."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

MOST = 16
"""Shards that wait to be read, at most: enough for the downloads that run at once, and little is lost on leaving."""
_AT_ONCE = 8  # one connection to S3 brings 50 to 100 MB/s
_LEAVING_S = 5.0  # how long the interpreter's end waits for a chunk that is on its way


class Ahead:
    """Brings the shards of an order in their order, a bounded number ahead of the reader.

    Threads live only while there is something to download, so one that is forgotten leaves nothing behind.
    """

    def __init__(
        self,
        wanted: Iterator[int],
        bring: Callable[[int, threading.Event], object],
        sizes: Sequence[int],
        *,
        most_bytes: int,
    ) -> None:
        """`wanted`: each shard once, in the order in which they will be read. `bring(shard, stop)` gets one; where it
        fails, the reader will try again and hear of it. `sizes` in bytes, by shard."""
        self._wanted, self._bring, self._sizes, self._most_bytes = wanted, bring, sizes, most_bytes
        self._lock, self._walking = threading.Lock(), threading.Lock()
        self._waiting: dict[int, int] = {}  # shards that were brought, or are being, and have not been read: bytes
        self._read: set[int] = set()
        self._exhausted = False
        self._error: BaseException | None = None
        self._running = 0
        self._stopped = threading.Event()
        self._threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        weakref.finalize(self, _leave, self._stopped, self._threads)
        with self._lock:
            self._start()

    def reached(self, shard: int) -> None:
        """The reader is at `shard`, which makes room for another. Raises what `wanted` has raised."""
        if self._error is not None:
            raise self._error
        if shard not in self._read:
            with self._lock:
                self._read.add(shard)
                self._waiting.pop(shard, None)
                self._start()

    def stop(self) -> None:
        """Bring no more; what is under way ends with its next chunk."""
        self._stopped.set()

    def _start(self) -> None:
        while self._running < min(_AT_ONCE, MOST - len(self._waiting)) and self._has_room():
            self._running += 1
            thread = threading.Thread(target=self._run, name="dfx-ahead", daemon=True)
            self._threads.add(thread)
            thread.start()

    def _has_room(self) -> bool:
        full = len(self._waiting) >= MOST or sum(self._waiting.values()) >= self._most_bytes > 0
        return not (full or self._exhausted or self._stopped.is_set())

    def _run(self) -> None:
        while (shard := self._next()) is not None:
            with suppress(Exception):  # the reader tries again when it is there, and raises what it meets
                self._bring(shard, self._stopped)

    def _next(self) -> int | None:
        with self._walking:
            with self._lock:
                if not self._has_room():
                    self._running -= 1
                    return None
            try:
                shard = next((shard for shard in self._wanted if shard not in self._read), None)
            except BaseException as error:
                self._error, shard = error, None
            with self._lock:
                if shard is None:
                    self._exhausted = True
                    self._running -= 1
                else:
                    self._waiting[shard] = self._sizes[shard]
                return shard


def _leave(stopped: threading.Event, threads: weakref.WeakSet[threading.Thread]) -> None:
    stopped.set()
    end = time.monotonic() + _LEAVING_S
    for thread in list(threads):
        if thread is not threading.current_thread():
            thread.join(max(0.0, end - time.monotonic()))
