"""The shards on processes of this machine, side by side."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from dataengine.executors.attempts import Attempts, OnReport, OnShard
from dataengine.executors.slow import OnSlow
from dataengine.plan import ShardPlan
from dataengine.processes import begin_worker, interrupts_held, sendable
from dataengine.records import ClipReport
from dataengine.shard import Job, write_shard


@dataclass(frozen=True, slots=True)
class Processes:
    """`count` spawned processes, each with one shard in hand.

    Each has a pipe of its own: a pool's shared queue stays locked for good where a process is killed while it writes,
    and a pool ends all its processes when one of them is lost.
    """

    count: int

    def run(
        self,
        shards: Sequence[ShardPlan],
        job: Job,
        on_report: OnReport,
        on_shard: OnShard | None = None,
        on_slow: OnSlow | None = None,
    ) -> None:
        """See `Executor`. A process that dies is replaced."""
        attempts = Attempts(shards, on_report, on_shard, on_slow)
        workers: dict[Connection, _Worker] = {}
        idle: list[_Worker] = []
        try:
            with attempts.watched():
                while True:
                    while len(workers) < self.count and (shard := attempts.next()) is not None:
                        worker = (idle.pop() if idle else _Worker.start(job)).with_shard(shard)
                        workers[worker.pipe] = worker
                        attempts.begins(shard, f"process {worker.process.pid}")
                    if not workers:
                        break
                    for ready in wait(list(workers)):
                        worker = workers[ready]  # type: ignore[index]
                        assert worker.shard is not None
                        try:
                            said = worker.pipe.recv()
                        except (EOFError, OSError):
                            del workers[worker.pipe]
                            attempts.died(worker.shard, worker.end())
                            continue
                        if isinstance(said, ClipReport):
                            attempts.heard(worker.shard, said)
                        elif isinstance(said, Exception):
                            raise said
                        else:
                            idle.append(workers.pop(worker.pipe))
                            attempts.stands(worker.shard)
        finally:
            for worker in (*idle, *workers.values()):
                worker.process.terminate()  # what it leaves half-written, whoever holds the store clears away
            for worker in (*idle, *workers.values()):
                worker.end()


@dataclass(frozen=True, slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    shard: ShardPlan | None = None

    @classmethod
    def start(cls, job: Job) -> _Worker:
        context = multiprocessing.get_context("spawn")  # OpenCV's threads hang in a forked process
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, job), daemon=True)
        with interrupts_held():
            process.start()
        theirs.close()  # with no other holder left, the pipe ends when the process does
        return cls(process, ours)

    def with_shard(self, shard: ShardPlan) -> _Worker:
        with suppress(OSError):  # it has died; the next reading says so
            self.pipe.send(shard)
        return _Worker(self.process, self.pipe, shard)

    def end(self) -> str:
        """Wait until it has ended; how, in words."""
        self.process.join()
        self.pipe.close()
        code = self.process.exitcode or 0
        if code == -signal.SIGKILL:
            return "killed, as the system does where memory runs out"
        return signal.strsignal(-code) or f"signal {-code}" if code < 0 else f"exit code {code}"


def _work(pipe: Connection, job: Job) -> None:
    """A worker's life: shards in, the reports of their clips out, None where one is finished."""
    begin_worker()
    with suppress(EOFError, OSError):  # nobody listens any more
        while True:
            shard = pipe.recv()
            try:
                for report in write_shard(shard, job):
                    pipe.send(report)
                said = None
            except Exception as error:
                said = sendable(error)
            pipe.send(said)
