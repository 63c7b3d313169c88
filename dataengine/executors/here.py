"""The shards one after the other in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import cv2

from dataengine.executors.attempts import Attempts, OnReport, OnShard
from dataengine.executors.slow import OnSlow
from dataengine.plan import ShardPlan
from dataengine.shard import Job, write_shard


@dataclass(frozen=True, slots=True)
class Here:
    """This process."""

    def run(
        self,
        shards: Sequence[ShardPlan],
        job: Job,
        on_report: OnReport,
        on_shard: OnShard | None = None,
        on_slow: OnSlow | None = None,
    ) -> None:
        """See `Executor`."""
        attempts = Attempts(shards, on_report, on_shard, on_slow)
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            with attempts.watched():
                while (shard := attempts.next()) is not None:
                    attempts.begins(shard, f"process {os.getpid()}")
                    for report in write_shard(shard, job):
                        attempts.heard(shard, report)
                    attempts.stands(shard)
        finally:
            cv2.setNumThreads(threads)


HERE = Here()
