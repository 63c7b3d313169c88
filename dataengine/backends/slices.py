"""Threads that work on batches in slices, a few batches ahead of the one that is waited for."""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from dataengine.backends import Request
from dataengine.errors import DfxError

Target = TypeVar("Target")
Result = TypeVar("Result")

_PER_THREAD = 2  # slices of a batch a thread: few enough to cost nothing, and no thread idles long at a batch's end


class SlicePool:
    """Threads that share the work on each batch, and go on with the next ones meanwhile.

    They end with `close`, with the pool, or with the interpreter. Queues do here what an executor's futures would, at a
    fraction of the cost: that one makes two locks for each slice, and small images are decoded as fast as that.
    """

    def __init__(self, *, threads: int, prefetch: int) -> None:
        self._num_threads, self._prefetch = threads, prefetch
        self._queue: SimpleQueue[tuple[_Job[Any, Any], int] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._end = weakref.finalize(self, _end, self._queue, self._threads)

    def ahead(
        self,
        requests: Iterable[Request],
        prepare: Callable[[Request], Target],
        work: Callable[[Request, Target, range], Result],
    ) -> Generator[tuple[Request, Target, list[Result]]]:
        """Each request with its target and its slices' results, in order; `prefetch` more are under way meanwhile.

        `prepare(request)` gives what the batch is written to, `work(request, target, slice)` writes a slice of it; what
        it raises is raised here.
        """
        self._start()
        jobs: deque[_Job[Target, Result]] = deque()
        try:
            for request in requests:
                job = _Job(request, prepare(request), work, self._slices(len(request.rows)))
                jobs.append(job)
                for place in range(len(job.slices)):
                    self._queue.put((job, place))
                if len(jobs) > self._prefetch:
                    yield jobs.popleft().done()
            while jobs:
                yield jobs.popleft().done()
        finally:
            for job in jobs:
                job.wanted = False

    def close(self) -> None:
        """End the threads, once what they are working on is done."""
        self._end()

    def _start(self) -> None:
        if not self._end.alive or not all(thread.is_alive() for thread in self._threads):  # closed, or left by a fork
            raise DfxError("the loader is closed, or was used before this process was forked; make a new one here")
        while len(self._threads) < self._num_threads:
            # Daemons: for others the interpreter waits before anything can tell them to end.
            thread = threading.Thread(target=_run, args=(self._queue,), name="dfx-input", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _slices(self, batch: int) -> list[range]:
        step = math.ceil(batch / (self._num_threads * _PER_THREAD))
        return [range(start, min(start + step, batch)) for start in range(0, batch, step)]


@dataclass(slots=True)
class _Job(Generic[Target, Result]):
    """A batch that is worked on."""

    request: Request
    target: Target
    work: Callable[[Request, Target, range], Result]
    slices: list[range]
    wanted: bool = True
    _finished: SimpleQueue[tuple[int, Result | None, BaseException | None]] = field(default_factory=SimpleQueue)

    def run(self, place: int) -> None:
        """Work on a slice."""
        result, error = None, None
        try:
            if self.wanted:
                result = self.work(self.request, self.target, self.slices[place])
        except BaseException as raised:
            error = raised if self.wanted else None  # its traceback holds us: kept, it would be a circle
        self._finished.put((place, result, error))

    def done(self) -> tuple[Request, Target, list[Result]]:
        """Wait for all slices; raises what one of them has raised."""
        results: dict[int, Any] = {}
        errors = []
        for _ in self.slices:
            place, results_here, error = self._finished.get()
            results[place] = results_here
            errors += [error] if error is not None else []
        if errors:
            raise errors[0]
        return self.request, self.target, [results[place] for place in range(len(self.slices))]


def _run(queue: SimpleQueue[tuple[_Job[Any, Any], int] | None]) -> None:
    while (task := queue.get()) is not None:
        job, place = task
        job.run(place)
        del job, task  # which hold the pool: it could not be forgotten while this waits


def _end(queue: SimpleQueue[tuple[_Job[Any, Any], int] | None], threads: list[threading.Thread]) -> None:
    with suppress(Empty):  # what nobody will ask for: at the interpreter's end a stream may still be held
        while True:
            queue.get_nowait()
    for _ in threads:
        queue.put(None)
    for thread in threads:
        if thread is not threading.current_thread():  # a collector may run in any of them
            thread.join()


def usable_cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
