"""How a worker process of a pool begins."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from multiprocessing.reduction import ForkingPickler

import cv2

from dataengine.errors import DfxError


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
