"""Rounds in turn, and what they come to."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

import cv2
import torch

from dataengine.errors import DfxError, StoreError
from dataengine.selection import Rows
from dataengine.throughput.bare import Bare
from dataengine.throughput.contenders import OWN, Contender
from dataengine.throughput.machine import cpu_seconds, machine
from dataengine.throughput.race import Entry, Race, repeated, round_length
from dataengine.throughput.records import OURS, READING, REFERENCE, Report, Result, Settings


def measure(
    rows: Rows,
    settings: Settings,
    *,
    contenders: Sequence[Contender] = OWN,
    on_ready: Callable[[str], None] | None = None,
    on_round: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Run every contender that can run here, `settings.rounds` times in turn, over the same samples of `rows`.

    Besides the contenders: reading the bytes; and decoding them with libjpeg-turbo into a reused buffer, the
    reference. Each goes through the same samples once a round, in an order of its own, to uint8 batches of crops
    scaled to one size and flipped, with as many threads, or worker processes that stay between rounds. A round of each
    begins and ends with nothing under way, so its filling and its emptying count. One round that is not counted comes
    first: it gives the time to the first batch. What a contender converts, it converts before, into a temporary folder
    that is removed in any case.

    A contender that cannot take part, breaks, or does not hand out what it should is named in `skipped`, and the
    others go on. `on_ready(what)` hears of each that gets ready, `on_round(name, done, total)` of each round.
    Raises StoreError for a store with a damaged sample.
    """
    cv2.setNumThreads(1)  # here and in the workers that are forked: OpenCV's own threads do not survive that
    skipped: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dfx-bench-")))
        race = Race(repeated(rows, round_length(_bare_rate(rows, settings), settings)), settings, folder)
        bare = stack.enter_context(closing(Bare(race.rows, settings)))
        bare.decode()
        running = [
            _Runner(READING, "reading bytes", bare.read),
            _Runner(REFERENCE, "libjpeg-turbo alone", bare.decode),
        ]
        entered: dict[str, _Runner] = {}
        for one in sorted(contenders, key=lambda one: one in OWN):  # peers may fork: before our own threads are there
            if on_ready:
                on_ready(one.what)
            with _left_out(one.name, skipped):
                entered[one.name] = _enter(one, race, stack)
        running += [entered[one.name] for one in contenders if one.name in entered]
        turns = running * settings.rounds
        for done, runner in enumerate(turns, start=1):
            if runner.name not in skipped:
                with _left_out(runner.name, skipped):
                    runner.rounds.append(_timed(runner.run))
            if on_round:
                on_round(runner.name, done, len(turns))
        told = machine()
    if REFERENCE in skipped:
        raise StoreError(f"bare decoding failed, so there is nothing to compare with: {skipped[REFERENCE]}")
    finished = {runner.name: runner for runner in running if runner.name not in skipped}
    return Report(
        settings=settings,
        stores=[str(ref) for ref in rows.refs],
        num_images=race.num_images,
        mean_bytes=float(race.rows.column("size").mean()),
        results=[_result(runner, finished, race.num_images) for runner in finished.values()],
        skipped=skipped,
        machine=told,
    )


@dataclass(slots=True)
class _Runner:
    name: str
    what: str
    run: Callable[[], int]
    """One round; the images that were handed out."""
    first_batch_s: float | None = None
    rounds: list[_Round] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Round:
    wall_s: float
    cpu_s: float


@contextmanager
def _left_out(name: str, skipped: dict[str, str]) -> Iterator[None]:
    """A contender that fails leaves the race and not the run; the first line of why is kept."""
    try:
        yield
    except Exception as error:
        told = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = told[0] if told else type(error).__name__
        skipped[name] = reason if isinstance(error, DfxError) else f"it failed: {type(error).__name__}: {reason}"


def _bare_rate(rows: Rows, settings: Settings) -> float:
    few = repeated(rows, 4 * settings.batch)
    with closing(Bare(few, settings)) as bare:
        bare.decode()
        return len(few) / _timed(bare.decode).wall_s


def _enter(one: Contender, race: Race, stack: ExitStack) -> _Runner:
    """Convert, open, and go through one round that is not counted."""
    entry = one.enter(race)
    with ExitStack() as unless_ready:
        unless_ready.callback(entry.close)
        began = time.perf_counter()
        entry.open()
        batches = iter(entry.batches())
        first = next(batches)
        first_batch_s = time.perf_counter() - began
        _check(first, race.settings)
        _count(chain([first], batches), race.num_images)
        stack.push(unless_ready.pop_all())
    return _Runner(one.name, one.what, partial(_round, entry, race.num_images), first_batch_s)


def _check(images: torch.Tensor, settings: Settings) -> None:
    side = settings.size
    shapes = [(settings.batch, 3, side, side), (settings.batch, side, side, 3)]
    if images.dtype != torch.uint8 or tuple(images.shape) not in shapes:
        raise DfxError(f"its batches are {images.dtype} {tuple(images.shape)}, not uint8 {shapes[0]}")


def _round(entry: Entry, num_images: int) -> int:
    return _count(entry.batches(), num_images)


def _count(batches: Iterable[torch.Tensor], num_images: int) -> int:
    handed_out = sum(len(images) for images in batches)
    if handed_out != num_images:
        raise DfxError(f"it handed out {handed_out} images a round instead of {num_images}")
    return handed_out


def _timed(run: Callable[[], object]) -> _Round:
    wall, cpu = time.perf_counter(), cpu_seconds()
    run()
    return _Round(time.perf_counter() - wall, cpu_seconds() - cpu)


def _result(runner: _Runner, finished: Mapping[str, _Runner], num_images: int) -> Result:
    rates = tuple(num_images / each.wall_s for each in runner.rounds)
    return Result(
        name=runner.name,
        what=runner.what,
        images_per_s=statistics.median(rates),
        low=min(rates),
        high=max(rates),
        rates=rates,
        ratio=_speed(runner, finished[REFERENCE]),
        ours=_speed(finished[OURS], runner) if OURS in finished else None,
        cpu_us=statistics.median(each.cpu_s for each in runner.rounds) / num_images * 1e6,
        first_batch_s=runner.first_batch_s,
    )


def _speed(one: _Runner, other: _Runner) -> float:
    """The speed of `one` as a multiple of that of `other`, median of the rounds."""
    return statistics.median(b.wall_s / a.wall_s for a, b in zip(one.rounds, other.rounds, strict=True))
