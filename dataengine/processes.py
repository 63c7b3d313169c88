"""How a worker process of a pool begins."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

import cv2


def begin_worker() -> None:
    """One thread for OpenCV, an interrupt left to the parent, and an end as soon as the parent is gone.

    A pool's workers outlive a parent that is killed: they hold both ends of its queue, and would wait for ever. Ctrl-C
    reaches all of them; the parent alone answers it, and lets what is in hand be finished.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    threading.Thread(target=_wait_and_exit, daemon=True).start()


def _wait_and_exit() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
