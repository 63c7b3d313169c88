"""The soak at its smallest, and that it would see what it looks for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.soak.cases import CASES
from benchmarks.soak.drive import Plan, soak
from benchmarks.soak.ledger import Ledger, Step, undisturbed
from benchmarks.soak.promise import by_class, by_store, few_frames, in_groups, in_order, once
from benchmarks.soak.rank import Seat, Stream, log_path
from dataengine.order import Order, parse_policy
from dataengine.selection import Rows, select
from dataengine.store import Store


def test_killed_and_resumed_trainings_see_what_their_policies_promise(tmp_path: Path) -> None:
    cases = tuple(replace(case, worlds=case.worlds[:2]) for case in CASES)
    plan = Plan(seconds=0, seed=1, clips=40, epochs=2, save_every=2, steps_a_life=8, cases=cases)
    tally = soak(tmp_path, plan)
    assert tally.mismatches == []
    assert set(tally.streams) == {case.name for case in CASES}
    assert min(tally.kills, tally.resumes, tally.changes, tally.replayed, tally.replaced) > 0


@pytest.fixture(scope="module")
def rows(whole_store: Store) -> Rows:
    return select([str(whole_store.root)])


@pytest.mark.parametrize(
    ("policy", "promise"),
    [
        ("sequential", in_order),
        ("shuffled", once),
        ("shuffled:frames_per_clip=2", few_frames(2)),
        ("balanced", by_class("method")),
        ("groups:classes=2,per_class=3", in_groups(2, 3)),
        ("mixed:whole=1", by_store(1)),
    ],
)
def test_a_sample_that_comes_in_place_of_another_breaks_every_promise(
    rows: Rows, policy: str, promise: Callable[[np.ndarray, Rows, int], str]
) -> None:
    order = Order(parse_policy(policy), rows, 3)
    seen = order.rows(np.arange(order.length(0)), 0)
    assert promise(seen, rows, 1) == ""
    seen[[3, 4, 5]] = seen[0]
    assert promise(seen, rows, 1) != ""


@pytest.fixture(scope="module")
def stream(whole_store: Store) -> Stream:
    return Stream(
        stores=(str(whole_store.root),),
        mode="train",
        policy="shuffled",
        batch=12,
        gathered=False,
        augment="crop",
        seed=2,
        epochs=1,
        save_every=2,
    )


def log(folder: Path, life: int, steps: dict[int, Step]) -> None:
    """What a single rank would have logged."""
    lines = []
    for number, step in steps.items():
        samples = [(e.row, e.label, e.valid, e.pixels) for e in step.samples]
        lines.append(json.dumps({"step": number, "epoch": step.epoch, "next": step.next, "samples": samples}) + "\n")
    log_path(folder, life, 0).write_text("".join(lines))


def test_a_torn_line_and_a_replayed_step_are_as_they_should_be(stream: Stream, tmp_path: Path) -> None:
    steps = undisturbed(stream)
    log(tmp_path, 1, dict(enumerate(steps[:5])))
    with log_path(tmp_path, 1, 0).open("a") as torn:
        torn.write('{"step": 5, "epo')
    log(tmp_path, 2, dict(enumerate(steps[4:], start=4)))
    ledger = Ledger(stream, steps)
    ledger.end_of_life(tmp_path, 1, Seat(), saved=4)
    ledger.end_of_life(tmp_path, 2, Seat(), saved=len(steps))
    assert ledger.wrong == []
    assert ledger.taken == steps
    assert ledger.replayed == stream.batch


def test_a_resume_that_skips_or_repeats_a_batch_is_found(stream: Stream, tmp_path: Path) -> None:
    steps = undisturbed(stream)
    for life, off in enumerate((-1, 1), start=1):
        log(tmp_path, life, {4: steps[4 + off]})
        ledger = Ledger(stream, steps)
        ledger.taken = steps[:4]
        ledger.end_of_life(tmp_path, life, Seat(), saved=5)
        assert ledger.wrong
