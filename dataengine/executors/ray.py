"""The shards on a Ray cluster, one task each."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2

from dataengine.cluster import connected
from dataengine.errors import DfxError
from dataengine.executors.attempts import Attempts, OnReport, OnShard
from dataengine.executors.slow import OnSlow
from dataengine.plan import ShardPlan
from dataengine.records import ClipReport
from dataengine.shard import Job, write_shard

_LOOK_S = 5.0  # how soon cores that join the cluster are given work


@dataclass(frozen=True, slots=True)
class Ray:
    """The cluster at `address` (HOST:PORT or auto), whose machines must all see the dataset and the store."""

    address: str
    tasks: int | None = None
    """At work at once, at most; None: as many as the cluster has cores."""

    def run(
        self,
        shards: Sequence[ShardPlan],
        job: Job,
        on_report: OnReport,
        on_shard: OnShard | None = None,
        on_slow: OnSlow | None = None,
    ) -> None:
        """See `Executor`. A task whose worker or machine is lost is begun again elsewhere.

        Raises DfxError where Ray is missing or the cluster cannot be reached.
        """
        attempts = Attempts(shards, on_report, on_shard, on_slow)
        with connected("converting on a cluster", gpus=0, address=self.address, libraries=()), attempts.watched():
            import ray

            task = ray.remote(num_cpus=1, max_retries=0)(_task)
            in_hand: dict[Any, ShardPlan] = {}
            try:
                while True:
                    # As many again wait in the cluster's own queue, so that it sees that it could grow.
                    most = self.tasks or 2 * max(1, int(ray.cluster_resources().get("CPU", 0)))
                    while len(in_hand) < most and (shard := attempts.next()) is not None:
                        in_hand[task.remote(shard, job)] = shard
                    if not in_hand:
                        return
                    ready, _ = ray.wait(list(in_hand), timeout=_LOOK_S, fetch_local=False)
                    for stream in ready:
                        if not self._take(stream, in_hand[stream], attempts):
                            del in_hand[stream]
            finally:
                for stream in in_hand:
                    ray.cancel(stream, force=True)

    def _take(self, stream: Any, shard: ShardPlan, attempts: Attempts) -> bool:
        """Hear what a task says next; False where it will say nothing any more."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            said = ray.get(next(stream))
            if isinstance(said, ClipReport):
                attempts.heard(shard, said)
            else:
                attempts.begins(shard, said)
        except StopIteration:
            attempts.stands(shard)
            return False
        except RayTaskError as error:
            raise error.cause if isinstance(error.cause, DfxError) else error from None
        except RayError as error:
            attempts.died(shard, (str(error).strip().splitlines() or [type(error).__name__])[0][:200])
            return False
        return True


def _task(shard: ShardPlan, job: Job) -> Iterator[str | ClipReport]:
    """Whose work it is, once it is no longer in the cluster's queue; then the report of each clip."""
    cv2.setNumThreads(1)
    yield f"process {os.getpid()} on {socket.gethostname()}"
    yield from write_shard(shard, job)
