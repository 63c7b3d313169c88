"""Sequential, shuffled and blocked: each item once."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.order import Blocked, Order, Policy, Sequential, Shuffled
from tests.dataengine.order.made_rows import MadeRows, any_rows, limits, make_rows, once

epochs = st.integers(0, 50)


def epoch_of(policy: Policy, rows: MadeRows, epoch: int = 0, seed: int = 0) -> np.ndarray:
    order = Order(policy, rows, seed)
    return order.rows(np.arange(order.length(epoch)), epoch)


@settings(max_examples=1500)
@given(rows=any_rows(), policy=once, epoch=epochs, seed=st.integers(0, 2**32))
def test_each_clip_gives_all_or_the_limit_of_its_frames_once(
    rows: MadeRows, policy: Policy, epoch: int, seed: int
) -> None:
    taken = epoch_of(policy, rows, epoch, seed)
    assert len(set(taken.tolist())) == len(taken)
    frames = Counter(rows.columns["clip"].tolist())
    limit = policy.frames_per_clip or len(rows)
    assert Counter(rows.columns["clip"][taken].tolist()) == {clip: min(limit, n) for clip, n in frames.items()}


@settings(max_examples=800)
@given(rows=any_rows(), window=st.integers(1, 15), limit=limits, epoch=epochs)
def test_blocked_is_done_with_a_window_of_shards_before_it_opens_the_next(
    rows: MadeRows, window: int, limit: int | None, epoch: int
) -> None:
    taken = epoch_of(Blocked(window=window, frames_per_clip=limit), rows, epoch)
    first_row = {clip: i for i, clip in reversed(list(enumerate(rows.columns["clip"].tolist())))}
    home = np.array([first_row[clip] for clip in rows.columns["clip"][taken].tolist()]) if limit else taken
    shards = rows.shard_of[home].tolist()
    opened = list(dict.fromkeys(shards))  # every shard of a window comes before any of the next
    begin = 0
    for i in range(0, len(opened), window):
        of_window = set(opened[i : i + window])
        size = sum(shard in of_window for shard in shards)
        assert set(shards[begin : begin + size]) == of_window
        begin += size


@settings(max_examples=300)
@given(rows=any_rows(), limit=st.integers(1, 6), epoch=epochs)
def test_sequential_leaves_clips_where_their_first_row_is(rows: MadeRows, limit: int, epoch: int) -> None:
    clips = rows.columns["clip"]
    seen = dict.fromkeys(clips[epoch_of(Sequential(frames_per_clip=limit), rows, epoch)].tolist())
    assert list(seen) == list(dict.fromkeys(clips.tolist()))


def test_sequential_without_a_limit_is_the_order_of_the_store() -> None:
    assert epoch_of(Sequential(), make_rows(50), epoch=3).tolist() == list(range(50))


@pytest.mark.parametrize("policy", [Shuffled(), Blocked(window=2), Sequential(frames_per_clip=2)], ids=str)
def test_the_order_differs_by_epoch_and_seed(policy: Policy) -> None:
    rows = make_rows(60, clips=10, shards=6)
    assert epoch_of(policy, rows).tolist() == epoch_of(policy, rows).tolist()
    assert epoch_of(policy, rows).tolist() != epoch_of(policy, rows, epoch=1).tolist()
    assert epoch_of(policy, rows).tolist() != epoch_of(policy, rows, seed=1).tolist()


def test_frames_per_clip_comes_to_all_frames_over_the_epochs() -> None:
    rows = make_rows(60, clips=10)
    seen = {int(row) for epoch in range(40) for row in epoch_of(Shuffled(frames_per_clip=1), rows, epoch)}
    assert seen == set(range(60))


def test_blocked_opens_the_shards_in_another_order_each_epoch() -> None:
    rows = make_rows(100, shards=20)
    opened = {tuple(dict.fromkeys(rows.shard_of[epoch_of(Blocked(window=1), rows, e)].tolist())) for e in range(5)}
    assert len(opened) == 5


@pytest.mark.parametrize("policy", [Sequential(), Shuffled(), Blocked(window=4)], ids=str)
def test_any_position_of_a_billion_rows_is_found_without_memory_for_them(policy: Policy) -> None:
    rows = MadeRows(10**9, shards=np.full(10**5, 10**4))
    order = Order(policy, rows, 0)
    positions = np.array([0, 1, 500_000_000, 999_999_999])
    found = order.rows(positions, 7)
    assert len(set(found.tolist())) == 4
    assert order.rows(positions[2:3], 7)[0] == found[2]
