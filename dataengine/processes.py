"""How a worker process of a pool begins."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.reduction import ForkingPickler

import cv2

from dataengine.errors import DfxError


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Processes started here are born deaf to Ctrl-C; the parent answers one that comes meanwhile when this ends.

    A worker imports for seconds before it reaches `begin_worker`, and an interrupt in that time would end it with a
    traceback. A new process inherits what its parent's thread blocks. Windows has no such masks: nothing is held there.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # multiprocessing's first start makes it, which ends by unblocking Ctrl-C
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begin_worker() -> None:
    """One thread for OpenCV, an interrupt left to the parent, and an end as soon as the parent is gone.

    A pool's workers outlive a parent that is killed: they hold both ends of its queue, and would wait for ever. Ctrl-C
    reaches all of them; the parent alone answers it, and lets what is in hand be finished.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_wait_and_exit, daemon=True).start()


def sendable(error: Exception) -> Exception:
    """An error as its parent can have it: with its traceback as a note where it is our defect, or someone's own."""
    if isinstance(error, DfxError):
        return error
    note = traceback.format_exc()
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))  # as the pipe between the two does
    except Exception:  # a class whose errors do not come back as they went
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(note)
    return error


def _wait_and_exit() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
