"""Mixed: several stores in proportion, each through epochs of its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.errors import DfxError
from dataengine.order import Balanced, Blocked, Groups, Mixed, Order, Sequential, Shuffled
from tests.dataengine.order.made_rows import Ints, MadeRows, MadeStore, any_rows, fitting_mixed, make_rows

NAMES = ("store-0+", "store-1+", "store-2+")


def store_of_rows(rows: MadeRows, policy: Mixed) -> Ints:
    """Of each row, the number of its store among the policy's weights."""
    place = {name: i for i, (name, _) in enumerate(policy.weights)}
    return np.array([place[store.name] for store in rows.stores])[rows.columns["store"]]


@settings(max_examples=400)
@given(rows=any_rows(max_stores=3), data=st.data(), epoch=st.integers(0, 9))
def test_every_period_holds_each_store_as_often_as_its_weight_says(
    rows: MadeRows, data: st.DataObject, epoch: int
) -> None:
    policy = replace(data.draw(fitting_mixed(rows)), length=300)
    stores = store_of_rows(rows, policy)[Order(policy, rows, 0).rows(np.arange(300), epoch)]
    weights = np.array([weight for _, weight in policy.weights])
    counts = weights / min(weight for weight in weights)
    counts *= next(k for k in range(1, 30) if all((counts * k) % 1 == 0))
    counts = (counts // np.gcd.reduce(counts.astype(int))).astype(int)
    period = int(counts.sum())
    for start in range(0, 300 - period + 1, period):
        assert (np.bincount(stores[start : start + period], minlength=len(counts)) == counts).all()
    served = np.cumsum(stores[:, None] == np.arange(len(counts)), axis=0)
    share = np.arange(1, len(stores) + 1)[:, None] * counts / period
    assert (abs(served - share) < len(counts)).all()  # spread out: never more than a turn a store ahead or behind


@settings(max_examples=400)
@given(rows=any_rows(max_stores=3), data=st.data(), epoch=st.integers(0, 9))
def test_a_stores_visits_are_whole_epochs_of_the_policy_within(rows: MadeRows, data: st.DataObject, epoch: int) -> None:
    policy = replace(data.draw(fitting_mixed(rows)), length=300)
    if isinstance(policy.within, Balanced):
        policy = replace(policy, within=Shuffled(frames_per_clip=policy.frames_per_clip))
    store_of, clips = store_of_rows(rows, policy), rows.columns["clip"]
    taken = Order(policy, rows, 0).rows(np.arange(300), epoch)
    for store in range(len(policy.weights)):
        frames = Counter(clips[store_of == store].tolist())
        given_out = {clip: min(policy.frames_per_clip or len(rows), number) for clip, number in frames.items()}
        visits, size = taken[store_of[taken] == store], sum(given_out.values())
        for start in range(0, len(visits) - size + 1, size):
            lap = visits[start : start + size]
            assert len(set(lap.tolist())) == size
            assert Counter(clips[lap].tolist()) == given_out


@settings(max_examples=200)
@given(rows=any_rows(max_stores=3), data=st.data(), at=st.lists(st.integers(0, 299), min_size=1, max_size=20))
def test_a_position_gives_the_same_whatever_stands_beside_it(
    rows: MadeRows, data: st.DataObject, at: list[int]
) -> None:
    order = Order(replace(data.draw(fitting_mixed(rows)), length=300), rows, 0)
    assert order.rows(np.array(at), 2).tolist() == order.rows(np.arange(300), 2)[at].tolist()


def test_balanced_within_a_store_balances_its_own_classes() -> None:
    rows = make_rows(300, clips=20, classes=4, stores=2)
    policy = Mixed(weights=(("store-0+", 3), ("store-1+", 1)), within=Balanced(length=40), length=400)
    taken = Order(policy, rows, 0).rows(np.arange(400), 0)
    for store in (0, 1):
        methods = rows.columns["method"][taken[rows.columns["dataset"][taken] == store]]
        there = np.unique(rows.columns["method"][rows.columns["dataset"] == store])
        runs = methods[: len(methods) // len(there) * len(there)].reshape(-1, len(there))
        assert (np.sort(runs, axis=1) == there).all()


def test_the_schedule_spreads_the_rarer_store_out() -> None:
    rows = make_rows(100, stores=2)
    taken = Order(Mixed(weights={"store-0+": 3, "store-1+": 1}, length=8), rows, 0).rows(np.arange(8), 0)
    assert rows.columns["dataset"][taken].tolist() == [0, 0, 1, 0, 0, 0, 1, 0]


def test_an_epoch_without_a_length_is_as_long_as_the_stores_together() -> None:
    rows = make_rows(100, clips=10, stores=2)
    assert Order(Mixed(weights={"store-0+": 5, "store-1+": 1}), rows, 0).length(0) == 100


@pytest.mark.parametrize("within", [Shuffled(), Sequential(), Blocked(window=2), Balanced()], ids=str)
def test_later_laps_of_a_small_store_come_in_a_new_order(within: Shuffled) -> None:
    rows = make_rows(60, clips=10, classes=2, stores=2, shards=5)
    policy = Mixed(weights={"store-0+": 1, "store-1+": 1}, within=within, length=200)
    taken = Order(policy, rows, 0).rows(np.arange(200), 0)
    visits = taken[rows.columns["dataset"][taken] == 0]
    size = int((rows.columns["dataset"] == 0).sum())
    assert (visits[:size].tolist() == visits[size : 2 * size].tolist()) == isinstance(within, Sequential)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"store-0+": 1}, "the store 'store-1\\+' has no weight"),
        ({"store-0+": 1, "store-1+": 1, "other": 1}, "'other' has a weight, but the rows are of store-0\\+, store-1"),
    ],
)
def test_weights_and_stores_must_match(weights: dict[str, float], message: str) -> None:
    with pytest.raises(DfxError, match=message):
        Order(Mixed(weights=weights), make_rows(50, stores=2), 0)


def test_two_different_stores_of_one_name_are_refused() -> None:
    rows = replace(make_rows(50, stores=1), stores=(MadeStore("a", "1"), MadeStore("a", "2")))
    with pytest.raises(DfxError, match="two different stores are named 'a'"):
        Order(Mixed(weights={"a": 1}), rows, 0)


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_a_weight_must_be_above_0(weight: float) -> None:
    with pytest.raises(DfxError, match=r"weight of 'a' is .*; give a number above 0"):
        Mixed(weights={"a": weight, "b": 1})


def test_weights_that_never_repeat_are_refused_with_what_to_do() -> None:
    with pytest.raises(DfxError, match="more than 65,536 positions; round them to a simpler ratio"):
        Mixed(weights={"a": 1, "b": 2**-0.5})
    with pytest.raises(DfxError, match="more than 65,536 positions"):
        Mixed(weights={"a": 1, "b": 1e-12})


def test_only_the_ratio_of_weights_counts() -> None:
    assert Mixed(weights={"a": 0.1, "b": 0.2}).counts() == Mixed(weights={"a": 5, "b": 10}).counts() == [1, 2]
    assert Mixed(weights={"a": 1, "b": 1 / 3}).counts() == [3, 1]


@pytest.mark.parametrize("within", [Groups(classes=2, per_class=2), Mixed(weights={"a": 1})], ids=lambda w: w.name)
def test_what_cannot_be_within_a_store_is_refused_with_the_reason(within: Groups) -> None:
    with pytest.raises(DfxError, match=f"'{within.name}' cannot be the policy within a store: "):
        Mixed(weights={"a": 1}, within=within)
