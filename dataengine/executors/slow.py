"""What is worked on for long, told while it lasts: a clip that hangs would hold its process without a word."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from dataengine.plan import ShardPlan
from dataengine.records import Clip

FIRST_S = 60.0
"""On one clip, before it is told: most take seconds. Then each time that it has taken twice as long."""

LOOK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """What `on_slow` hears: one thing has been worked on for long, and still is."""

    shard: str
    clip: Clip | None
    """None where all clips of the shard are done and its files are being written."""
    process: str
    """Whose work it is, in words."""
    seconds: float


OnSlow = Callable[[Slow], None]
"""Hears, in a thread of its own, of what takes long; may not raise."""


@dataclass(frozen=True, slots=True)
class _Work:
    shard: ShardPlan
    at: int
    process: str
    since: float
    tell_after: float


class Watch:
    """Knows the shards in hand, whose they are, and since when each is at the clip that it is at."""

    def __init__(self, on_slow: OnSlow | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._on_slow = on_slow
        self._clock = clock
        self._work: dict[str, _Work] = {}
        self._lock = threading.Lock()

    def begins(self, shard: ShardPlan, process: str) -> None:
        """`process` is at the first clip of a shard."""
        with self._lock:
            self._work[shard.shard] = _Work(shard, 0, process, self._clock(), FIRST_S)

    def goes_on(self, shard: ShardPlan) -> None:
        """It is at the next one."""
        with self._lock:
            if work := self._work.get(shard.shard):
                self._work[shard.shard] = replace(work, at=work.at + 1, since=self._clock(), tell_after=FIRST_S)

    def ends(self, shard: ShardPlan) -> None:
        """Nobody works on the shard any more."""
        with self._lock:
            self._work.pop(shard.shard, None)

    def look(self) -> None:
        """Tell of what has taken long by now."""
        with self._lock:
            for name, work in self._work.items():
                seconds = self._clock() - work.since
                if self._on_slow is not None and seconds >= work.tell_after:
                    self._work[name] = replace(work, tell_after=2 * seconds)
                    clip = work.shard.clips[work.at] if work.at < len(work.shard.clips) else None
                    self._on_slow(Slow(shard=name, clip=clip, process=work.process, seconds=seconds))

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look again and again meanwhile."""
        if self._on_slow is None:
            yield
            return
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(LOOK_S):
                self.look()

        thread = threading.Thread(target=work, name="dfx-slow", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
