"""The processes that write shards side by side."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from queue import Empty
from typing import Any

import cv2

from dataengine.errors import StoreError
from dataengine.place import Place
from dataengine.plan import ConvertSettings, ShardPlan
from dataengine.processes import begin_worker
from dataengine.records import Clip, ClipReport
from dataengine.shard import write_shard


def write_shards(
    pending: list[ShardPlan],
    root: Place,
    out: Path,
    settings: ConvertSettings,
    workers: int,
    on_clip: Callable[[Clip, ClipReport], None],
    on_shard: Callable[[ShardPlan], None] | None = None,
) -> None:
    """Run `write_shard` for each shard, in `workers` spawned processes or, with 0, in this one.

    `on_clip` and `on_shard`, called after each clip and each shard, run in this process and may raise to stop: shards
    in progress are then given up, finished ones stay. Raises StoreError where a worker dies.
    """
    if workers == 0:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            for shard in pending:
                write_shard(shard, root, out, settings, on_clip)
                if on_shard is not None:
                    on_shard(shard)
        finally:
            cv2.setNumThreads(threads)
        return
    context = multiprocessing.get_context("spawn")  # OpenCV's threads hang in a forked process
    news, stop = context.Queue(), context.Event()
    with ProcessPoolExecutor(
        min(workers, len(pending)), mp_context=context, initializer=_start_worker, initargs=(news, stop)
    ) as pool:
        shard_of = {pool.submit(_task, shard, root, out, settings): shard for shard in pending}
        futures: set[Future[None]] = set(shard_of)
        try:
            while futures:
                done, futures = wait(futures, timeout=0.1, return_when=FIRST_COMPLETED)
                _hear(news, on_clip)
                for future in done:
                    future.result()
                    if on_shard is not None:
                        on_shard(shard_of[future])
            pool.shutdown(wait=True)  # a worker sends its last news as it ends
            _hear(news, on_clip)
        except BrokenProcessPool:
            raise StoreError(
                "a worker process died (often: out of memory); run the same command again with fewer --workers, "
                "finished shards are kept"
            ) from None
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            news.close()


def _hear(news: Any, on_clip: Callable[[Clip, ClipReport], None]) -> None:
    while True:
        try:
            on_clip(*news.get_nowait())
        except Empty:
            return


class _StoppedError(Exception):
    """The parent no longer wants this worker's shard."""


_news: Any = None
_stop: Any = None


def _start_worker(news: Any, stop: Any) -> None:
    global _news, _stop
    _news, _stop = news, stop
    begin_worker()


def _task(shard: ShardPlan, root: Place, out: Path, settings: ConvertSettings) -> None:
    def tell(clip: Clip, report: ClipReport) -> None:
        if _stop.is_set():
            raise _StoppedError
        _news.put((clip, report))

    write_shard(shard, root, out, settings, tell)
