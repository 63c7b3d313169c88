"""The shards one after the other in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2

from dataengine.executors.attempts import OnReport, OnShard
from dataengine.plan import ShardPlan
from dataengine.shard import Job, write_shard


@dataclass(frozen=True, slots=True)
class Here:
    """This process."""

    def run(self, shards: Sequence[ShardPlan], job: Job, on_report: OnReport, on_shard: OnShard | None = None) -> None:
        """See `Executor`."""
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            for shard in shards:
                for number, report in enumerate(write_shard(shard, job)):
                    on_report(shard.clips[number], report)
                if on_shard is not None:
                    on_shard(shard)
        finally:
            cv2.setNumThreads(threads)


HERE = Here()
