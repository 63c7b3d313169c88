"""Lives and deaths: ranks are started, killed at random moments, and started again as another world."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.soak.cases import CASES, Case
from benchmarks.soak.ledger import Ledger, epochs, undisturbed
from benchmarks.soak.made import make_stores
from benchmarks.soak.rank import Seat, Stream, run_rank, saved_state
from dataengine.errors import DfxError
from dataengine.order import Order, parse_policy
from dataengine.selection import select

# Ranks are forked from a server that has imported what they need and started nothing: each begins in milliseconds
# instead of the seconds that importing torch takes, and lives of a second are worth living.
_START = multiprocessing.get_context("forkserver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How large the soak is."""

    seconds: float
    """No pass over the cases begins after so long; the first is always whole."""
    seed: int = 0
    clips: int = 240
    """In the first store; the second has half as many."""
    epochs: int = 3
    save_every: int = 5
    """Steps."""
    steps_a_life: int = 20
    """On average."""
    backends: tuple[str, ...] = ("cpu", "cpu", "dali") if sys.platform == "linux" else ("cpu",)
    """Each life draws one."""
    cases: tuple[Case, ...] = CASES


@dataclass(slots=True, kw_only=True)
class Tally:
    """What happened."""

    seconds: float = 0.0
    passes: int = 0
    streams: Counter[str] = field(default_factory=Counter)
    """Policy -> trainings to their end."""
    lives: int = 0
    kills: int = 0
    resumes: int = 0
    """Lives that went on from a saved state."""
    worlds: Counter[int] = field(default_factory=Counter)
    """World size -> lives."""
    changes: int = 0
    """Resumes with another world size than the state was saved with."""
    backends: Counter[str] = field(default_factory=Counter)
    epochs: int = 0
    samples: int = 0
    """That trainings had for good."""
    replayed: int = 0
    """Samples that were lost with a life and had again."""
    replaced: int = 0
    """Samples that stood in for a damaged one, or were marked as unreadable."""
    mismatches: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Stable keys, for scripts."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def soak(folder: Path, plan: Plan, on_stream: Callable[[Tally], None] | None = None) -> Tally:
    """Run the cases in turn until the time is up; `folder` takes the stores and the logs.

    Raises DfxError where a rank ends by itself with an error.
    """
    _START.set_forkserver_preload(["benchmarks.soak.rank", "pandas"])  # pyarrow takes pandas in where it is there
    began, tally = time.monotonic(), Tally()
    stores, damaged = make_stores(folder, plan.clips)
    chance = random.Random(plan.seed)
    while tally.passes == 0 or time.monotonic() - began < plan.seconds:
        for number, case in enumerate(plan.cases):
            stream = Stream(
                stores=tuple(stores if case.both_stores else stores[:1]),
                mode=case.mode,
                policy=case.policy,
                batch=case.batch,
                gathered=case.gathered,
                augment="forensic" if number % 2 else "crop",
                seed=chance.randrange(1 << 30),
                epochs=plan.epochs,
                save_every=plan.save_every,
            )
            _run(folder / f"{tally.passes:05d}-{number}", stream, case, plan, chance, tally, damaged)
            tally.seconds = time.monotonic() - began
            if on_stream:
                on_stream(tally)
        tally.passes += 1
    return tally


def _run(
    folder: Path, stream: Stream, case: Case, plan: Plan, chance: random.Random, tally: Tally, damaged: frozenset[str]
) -> None:
    """One training from its first step to its last, however many lives it takes."""
    folder.mkdir()
    ledger = Ledger(stream, undisturbed(stream))
    state, world_size = None, 0
    while state is None or state["epoch"] < stream.epochs:
        seat = Seat(
            world_size=chance.choice(case.worlds), threads=chance.randint(1, 3), backend=chance.choice(plan.backends)
        )
        tally.lives += 1
        tally.worlds[seat.world_size] += 1
        tally.backends[seat.backend] += 1
        tally.resumes += state is not None
        tally.changes += state is not None and seat.world_size != world_size
        tally.kills += _live(stream, seat, folder, tally.lives, chance, plan.steps_a_life)
        before, (saved, state) = len(ledger.taken), saved_state(folder)
        ledger.end_of_life(folder, tally.lives, seat, saved)
        world_size = seat.world_size if saved > before else world_size
    wrong = _settle(stream, case, ledger, tally, damaged)
    tally.streams[case.name] += 1
    tally.mismatches += [f"{case.name}, seed {stream.seed}: {problem}" for problem in wrong]
    if not wrong:
        shutil.rmtree(folder)


def _live(stream: Stream, seat: Seat, folder: Path, life: int, chance: random.Random, steps_a_life: int) -> bool:
    """Ranks from their start to their death: killed after so many steps and some milliseconds, or while they begin,
    or at the end of the last epoch. Whether they were killed."""
    steps = 0 if chance.random() < 0.1 else 1 + round(chance.expovariate(1 / steps_a_life))
    moment = chance.uniform(0, 0.02 if steps else 0.5)
    hears, tells = _START.Pipe(duplex=False)
    together = _START.Barrier(seat.world_size)
    seats = [replace(seat, rank=rank) for rank in range(seat.world_size)]
    ranks = [
        _START.Process(target=run_rank, args=(stream, one, folder, life, together, tells), daemon=True) for one in seats
    ]
    try:
        for rank in ranks:
            rank.start()
        _outlast(hears, ranks, steps, moment)
        if failed := [rank.exitcode for rank in ranks if rank.exitcode]:
            raise DfxError(f"a rank ended by itself with code {failed[0]} in {folder}; what it says stands above")
        return any(rank.is_alive() for rank in ranks)
    finally:
        for rank in ranks:
            rank.kill()
        for rank in ranks:
            rank.join()
        hears.close()
        tells.close()


def _outlast(hears: Connection, ranks: Sequence[BaseProcess], steps: int, moment: float) -> None:
    """Until rank 0 has taken so many steps and so many seconds have passed, or a rank failed, or all are at the end."""
    taken = 0
    while taken < steps:
        going = [rank for rank in ranks if rank.exitcode is None]
        if not going or any(rank.exitcode for rank in ranks):
            return
        if hears in wait([hears, *[rank.sentinel for rank in going]]):
            hears.recv()
            taken += 1
    wait([rank.sentinel for rank in ranks], timeout=moment)


def _settle(stream: Stream, case: Case, ledger: Ledger, tally: Tally, damaged: frozenset[str]) -> list[str]:
    """Hold what a whole training had against the promise of its policy, and count it: what was wrong."""
    rows = select(stream.stores)
    labels, keys = rows.codes("method")[0], np.array(rows.strings("key"))
    bad = np.isin(keys, list(damaged))
    order = Order(parse_policy(stream.policy), rows, stream.seed)
    wrong = list(ledger.wrong)
    seen = epochs(ledger.taken)
    if len(ledger.taken) != len(ledger.expected) or len(seen) != stream.epochs:
        wrong.append(f"{len(ledger.taken)} steps in {len(seen)} epochs, undisturbed {len(ledger.expected)}")
    for epoch, had in enumerate(seen):
        planned = order.rows(np.arange(len(had)), epoch)
        stands_in = planned != had
        samples = [e for step in ledger.taken if step.epoch == epoch for e in step.samples if e.row >= 0]
        unreadable = ~np.array([entry.valid for entry in samples])
        harmed = stands_in if stream.mode == "train" else unreadable
        if (harmed != bad[planned]).any() or (stream.mode == "train" and bad[had].any()):
            wrong.append(f"epoch {epoch}: the samples that were not as planned are not the damaged ones")
        if (labels[had] != labels[planned]).any():
            wrong.append(f"epoch {epoch}: a sample was replaced by one of another class")
        # With the damaged samples put back where others stand in for them, the promise is exact.
        if problem := case.promise(np.where(stands_in, planned, had), rows, stream.batch):
            wrong.append(f"epoch {epoch}: {problem}")
        tally.replaced += int(harmed.sum())
        tally.samples += len(had)
    tally.epochs += len(seen)
    tally.replayed += ledger.replayed
    return wrong
