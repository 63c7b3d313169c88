"""Times storage by itself: the first read of samples, and the same read again."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dataengine.errors import MediaError
from dataengine.fetch import Shards
from dataengine.order import Order, Policy
from dataengine.selection import Rows
from trainers.config import TrainConfig

_LONG_S = 20.0  # a slow disk or line has shown by then that it is one
_ROUND_S = 0.2  # one pass may be over in a millisecond
_BATCHES = 4  # that a profile cannot do without
_SLICE = 16  # samples that a thread reads at a time


class Reader:
    """Reads and hashes the samples that a training begins with, with as many threads, and drops them."""

    def __init__(self, rows: Rows, config: TrainConfig, policy: Policy, *, steps: int, threads: int) -> None:
        order = Order(policy, rows, config.seed)
        positions = np.arange(min(steps * config.batch, order.length(0)), dtype=np.int64)
        # Each once: a second read of a sample is of the page cache.
        self.rows = np.array(list(dict.fromkeys(order.rows(positions, 0).tolist())), dtype=np.int64)
        """Int64, in the order of the training."""
        self._batch = config.batch
        self._shards = Shards(rows)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="dfx-profile")

    def first(self) -> float:
        """Milliseconds a batch. What there was no time for is left out of `again` too."""
        ms, done = self._read(_LONG_S)
        self.rows = self.rows[:done]
        return ms

    def again(self) -> float:
        """Milliseconds a batch of the same samples."""
        began = time.perf_counter()
        passes: list[float] = []
        while not passes or time.perf_counter() - began < _ROUND_S:
            passes.append(self._read(float("inf"))[0])
        return sum(passes) / len(passes)

    def _read(self, long_s: float) -> tuple[float, int]:
        began = time.perf_counter()

        def part(rows: npt.NDArray[np.int64]) -> int:
            if time.perf_counter() - began > long_s:
                return 0
            for row in rows.tolist():
                with suppress(MediaError):  # the loader's own to report
                    self._shards.read(row)
            return len(rows)

        parts = [self.rows[i : i + _SLICE] for i in range(0, len(self.rows), _SLICE)]
        done = sum(self._pool.map(part, parts))
        return 1000 * self._batch * (time.perf_counter() - began) / done, done

    def close(self) -> None:
        """End the threads and let go of the shards."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._shards.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def fetched(rows: Rows, batch: int) -> tuple[Rows, float]:
    """Fetch shards of a remote store for a while: the rows that lie in them, and the milliseconds a batch it took.

    A profile of these rows alone does not download a whole dataset.
    """
    shard_of = rows.column("shard_file")
    shards, firsts, counts = np.unique(shard_of, return_index=True, return_counts=True)
    turns = np.random.default_rng(0).permutation(len(shards))  # so that each store has its turn
    began, there, num_rows = time.perf_counter(), [], 0
    with closing(Shards(rows)) as source:
        for turn in turns.tolist():
            with suppress(MediaError):  # the loader's own to report
                source.read(int(firsts[turn]))
            there.append(shards[turn])
            num_rows += int(counts[turn])
            if time.perf_counter() - began > _LONG_S and num_rows >= _BATCHES * batch:
                break
    ms = 1000 * batch * (time.perf_counter() - began) / num_rows
    return replace(rows, table=rows.table.filter(pa.array(np.isin(shard_of, there)))), ms


def memory_bytes() -> int:
    """Of this machine, or of the container that this process is in."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return machine
