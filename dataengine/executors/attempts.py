"""What executors share: which shards wait, what is told of them, and when one that dies again and again is given up."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from dataengine.errors import StoreError
from dataengine.executors.slow import OnSlow, Watch
from dataengine.plan import ShardPlan
from dataengine.records import Clip, ClipReport
from dataengine.shard import Job

OnReport = Callable[[Clip, ClipReport], None]
"""Hears of each clip as it is done, once, in the process that converts; may raise to stop."""

OnShard = Callable[[ShardPlan], None]
"""Hears, there too, of each shard that stands; may raise to stop."""

DEATHS = 3
"""Of processes that were at work on the same shard, after which it is given up: a machine may be lost or restarted in a
run of days, but a clip that ends its process each time must not do so for ever."""


class Executor(Protocol):
    """Runs `shard.write_shard` once for each shard."""

    def run(
        self,
        shards: Sequence[ShardPlan],
        job: Job,
        on_report: OnReport,
        on_shard: OnShard | None = None,
        on_slow: OnSlow | None = None,
    ) -> None:
        """Write the shards; those in hand are given up where one of the two raises, finished ones stay.

        Raises what a shard raises, and StoreError where the processes that work on one die DEATHS times.
        """


class Attempts:
    """The shards that wait and those in hand. A shard whose process dies is tried again from its first clip."""

    def __init__(
        self,
        shards: Sequence[ShardPlan],
        on_report: OnReport,
        on_shard: OnShard | None = None,
        on_slow: OnSlow | None = None,
    ) -> None:
        self._waiting = deque(shards)
        self._on_report = on_report
        self._on_shard = on_shard
        self._told: Counter[str] = Counter()
        """Clips of a shard that `on_report` has heard of, in any attempt."""
        self._at: Counter[str] = Counter()
        """Clips of a shard that are done in the attempt at hand."""
        self._deaths: Counter[str] = Counter()
        self._watch = Watch(on_slow)

    def next(self) -> ShardPlan | None:
        """A shard to begin with; None where none waits."""
        return self._waiting.popleft() if self._waiting else None

    def watched(self) -> AbstractContextManager[None]:
        """Meanwhile, `on_slow` hears of clips that take long."""
        return self._watch.looking()

    def begins(self, shard: ShardPlan, process: str) -> None:
        """A process, named in words, is at the first clip of a shard."""
        self._watch.begins(shard, process)

    def heard(self, shard: ShardPlan, report: ClipReport) -> None:
        """The next clip of a shard in hand is done."""
        at = self._at[shard.shard]
        self._at[shard.shard] += 1
        self._watch.goes_on(shard)
        if at == self._told[shard.shard]:
            self._told[shard.shard] += 1
            self._on_report(shard.clips[at], report)

    def stands(self, shard: ShardPlan) -> None:
        """A shard in hand is finished."""
        self._watch.ends(shard)
        if self._on_shard is not None:
            self._on_shard(shard)

    def died(self, shard: ShardPlan, how: str) -> None:
        """Its process is gone, `how` in words: the shard waits again. Raises StoreError where it was the last try."""
        self._watch.ends(shard)
        self._deaths[shard.shard] += 1
        at = self._at.pop(shard.shard, 0)
        if self._deaths[shard.shard] == DEATHS:
            where = f"at work on {shard.clips[at].first}" if at < len(shard.clips) else "writing its tar"
            raise StoreError(
                f"{DEATHS} worker processes in turn died of {shard.shard}, the last one {where} ({how}); give them "
                "more memory or take fewer --workers, or take that file out of the dataset, and run the same command "
                "again: finished shards are kept"
            )
        self._waiting.appendleft(shard)
