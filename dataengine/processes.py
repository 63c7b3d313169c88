"""What every worker process of a pool needs."""

from __future__ import annotations

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Make this process end as soon as the one that spawned it is gone.

    A pool's workers outlive a parent that is killed: they hold both ends of its queue, and would wait for ever.
    """
    threading.Thread(target=_wait_and_exit, daemon=True).start()


def _wait_and_exit() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
