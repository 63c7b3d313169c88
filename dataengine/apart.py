"""A few calls in a process of their own, which may die of them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from dataengine.processes import begin_worker, interrupts_held, sendable

Item = TypeVar("Item")
Result = TypeVar("Result")


def apart(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """`work` of each item in turn, in one spawned process; ends early where that process dies.

    Raises what `work` raises. The process is ended where nobody waits for it any more.
    """
    context = multiprocessing.get_context("spawn")  # OpenCV's threads hang in a forked process
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, work, items), daemon=True)
    with interrupts_held():
        process.start()
    theirs.close()  # with no other holder left, the pipe ends when the process does
    try:
        for _ in items:
            try:
                result, error = ours.recv()
            except (EOFError, OSError):
                return
            if error is not None:
                raise error
            yield result
    finally:
        process.terminate()
        process.join()
        ours.close()


def _work(pipe: Connection, work: Callable[[Any], Any], items: Sequence[Any]) -> None:
    begin_worker()
    with suppress(EOFError, OSError):  # nobody listens any more
        for item in items:
            try:
                said: tuple[Any, Exception | None] = work(item), None
            except Exception as error:
                said = None, sendable(error)
            pipe.send(said)
