"""Who writes the shards of a plan: this process, others of this machine, or a Ray cluster. The bytes are the same."""

from __future__ import annotations

import os

from dataengine.errors import DfxError
from dataengine.executors.attempts import Executor as Executor
from dataengine.executors.attempts import OnReport as OnReport
from dataengine.executors.attempts import OnShard as OnShard
from dataengine.executors.here import HERE as HERE
from dataengine.executors.processes import Processes as Processes
from dataengine.executors.ray import Ray as Ray
from dataengine.executors.slow import OnSlow as OnSlow
from dataengine.executors.slow import Slow as Slow


def executor_of(*, workers: int | None = None, address: str | None = None) -> Executor:
    """The executor that a user's options mean.

    `address` (HOST:PORT or auto) is a Ray cluster's, on which `workers` shards at most are in hand at once (None: as
    many as it has cores). Without it, `workers` processes of this machine (None: one a core), or this one for 0.
    """
    if address is not None:
        if workers == 0:
            raise DfxError(f"--workers 0 works in this process, not on the cluster {address}; leave one of the two out")
        return Ray(address, workers)
    count = os.cpu_count() or 1 if workers is None else workers
    return Processes(count) if count else HERE
