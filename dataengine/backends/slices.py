"""Threads that work on batches in slices, a few batches ahead of the one that is waited for."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from dataengine.backends import Request

Target = TypeVar("Target")
Result = TypeVar("Result")

_PER_THREAD = 2  # slices of a batch a thread: few enough to cost nothing, and no thread idles long at a batch's end


class SlicePool:
    """Threads that share the work on each batch, and go on with the next ones meanwhile."""

    def __init__(self, *, threads: int, prefetch: int) -> None:
        self._threads, self._prefetch = threads, prefetch
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="dfx-input")

    def ahead(
        self,
        requests: Iterable[Request],
        prepare: Callable[[Request], Target],
        work: Callable[[Request, Target, range], Result],
    ) -> Generator[tuple[Request, Target, list[Result]]]:
        """Each request with its target and its slices' results, in order; `prefetch` more are under way meanwhile.

        `prepare(request)` gives what the batch is written to, `work(request, target, slice)` writes a slice of it.
        """
        waiting: deque[tuple[Request, Target, list[Future[Result]]]] = deque()
        try:
            for request in requests:
                target = prepare(request)
                slices = self._slices(len(request.rows))
                waiting.append((request, target, [self._pool.submit(work, request, target, s) for s in slices]))
                if len(waiting) > self._prefetch:
                    yield _done(*waiting.popleft())
            while waiting:
                yield _done(*waiting.popleft())
        finally:
            for *_, futures in waiting:
                for future in futures:
                    future.cancel()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _slices(self, batch: int) -> list[range]:
        step = math.ceil(batch / (self._threads * _PER_THREAD))
        return [range(start, min(start + step, batch)) for start in range(0, batch, step)]


def _done(request: Request, target: Target, futures: list[Future[Result]]) -> tuple[Request, Target, list[Result]]:
    return request, target, [future.result() for future in futures]


def usable_cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
