"""SIGTERM, as a cluster sends it when a job's time is up: the work is ended tidily, and one line is the last."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cli.console import errors


class TerminatedError(SystemExit):
    """SIGTERM has come, as from a cluster whose time limit is near."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


@contextmanager
def terminating(last: str) -> Iterator[None]:
    """Within it SIGTERM raises TerminatedError in the main thread; what was begun is ended, then `last` is printed."""
    has_come = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal has_come
        has_come = True
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would break off the tidying up
        raise TerminatedError

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except SystemExit as ended:
        has_come = has_come or ended.code == signal.SIGTERM  # Ray's own way, while it starts
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        if has_come:
            errors.print(last)
            raise TerminatedError from None  # Ray makes another error of one that is raised while it waits
