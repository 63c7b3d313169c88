"""The order of an epoch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import DfxError
from dataengine.order import Order, Policy, counter_hash, permute, uniform
from dataengine.store import Rows, Store, select

sizes = st.integers(1, 3000)
keys = st.integers(0, 2**64 - 1)


@pytest.fixture(scope="module")
def rows(mini_store: Store) -> Rows:
    return select([f"{mini_store.root}@split=train"])


@given(n=sizes, key=keys)
def test_permute_is_a_permutation_for_any_size_and_key(n: int, key: int) -> None:
    assert sorted(permute(np.arange(n), n, key).tolist()) == list(range(n))


@given(n=sizes, key=keys, data=st.data())
def test_permute_gives_the_same_for_a_position_whatever_stands_beside_it(n: int, key: int, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, n - 1))
    whole = permute(np.arange(n), n, key)
    assert permute(np.array([position]), n, key)[0] == whole[position]
    mixed = permute(np.array([0, position]), np.array([1, n]), np.array([5, key], dtype=np.uint64))
    assert mixed[1] == whole[position]


def test_permute_reaches_any_position_of_a_billion_rows() -> None:
    positions = np.array([0, 1, 500_000_000, 999_999_999])
    assert len(set(permute(positions, 10**9, 1).tolist())) == 4
    assert permute(positions, 10**9, 1).max() < 10**9


@pytest.mark.parametrize("n", [2, 3, 5, 7, 12, 33])
def test_where_an_element_goes_is_uniform_even_for_small_sizes(n: int) -> None:
    draws = 20_000
    placed = permute(np.zeros(draws, dtype=np.int64), n, counter_hash(1, np.arange(draws)))
    expected = draws / n
    chi_square = ((np.bincount(placed, minlength=n) - expected) ** 2 / expected).sum()
    assert chi_square < n - 1 + 5 * np.sqrt(2 * (n - 1))


def test_the_hash_and_the_permutation_never_change() -> None:
    assert counter_hash(0, 1, np.arange(3)).tolist() == GOLDEN_HASH
    assert permute(np.arange(10), 10, 42).tolist() == GOLDEN_PERMUTATION
    assert permute(np.arange(4), 10**9, 42).tolist() == GOLDEN_FAR


GOLDEN_HASH = [6153317894576023040, 2931004567720371905, 12751488248376797752]
GOLDEN_PERMUTATION = [8, 5, 7, 9, 3, 0, 1, 2, 4, 6]
GOLDEN_FAR = [771323328, 407468518, 336440288, 250853327]


@given(words=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4))
def test_uniform_lies_in_the_half_open_unit_interval(words: list[int]) -> None:
    value = uniform(counter_hash(*words))
    assert 0 <= value < 1


@pytest.mark.parametrize("name", ["sequential", "shuffled"])
@given(epoch=st.integers(0, 50), seed=st.integers(0, 2**32))
def test_an_epoch_holds_each_row_once(rows: Rows, name: str, epoch: int, seed: int) -> None:
    order = Order(Policy(name=name), rows, seed)
    assert sorted(order.rows(np.arange(order.length(epoch)), epoch).tolist()) == list(range(len(rows)))


def test_shuffled_differs_by_epoch_and_seed(rows: Rows) -> None:
    def epoch(seed: int, number: int) -> list[int]:
        order = Order(Policy(), rows, seed)
        return order.rows(np.arange(len(rows)), number).tolist()

    assert epoch(0, 0) == epoch(0, 0)
    assert epoch(0, 0) != epoch(0, 1)
    assert epoch(0, 0) != epoch(1, 0)


@given(epoch=st.integers(0, 5), seed=st.integers(0, 1000), laps=st.integers(1, 4))
def test_balanced_holds_each_class_once_in_every_run(rows: Rows, epoch: int, seed: int, laps: int) -> None:
    codes, names = rows.codes("method")
    length = len(names) * len(rows) * laps
    order = Order(Policy(name="balanced", length=length), rows, seed)
    seen = codes[order.rows(np.arange(length), epoch)].reshape(-1, len(names))
    assert (np.sort(seen, axis=1) == np.arange(len(names))).all()


def test_balanced_visits_the_rows_of_a_class_equally_often(rows: Rows) -> None:
    codes, names = rows.codes("method")
    counts = np.bincount(codes)
    laps = int(np.lcm.reduce(counts))
    order = Order(Policy(name="balanced", length=laps * len(names)), rows, 3)
    visits = np.bincount(order.rows(np.arange(laps * len(names)), 0), minlength=len(rows))
    assert all(len(set(visits[codes == code].tolist())) == 1 for code in range(len(names)))


@given(k=st.integers(1, 5), epoch=st.integers(0, 20))
def test_frames_per_clip_takes_that_many_different_frames_of_each_clip(rows: Rows, k: int, epoch: int) -> None:
    order = Order(Policy(frames_per_clip=k), rows, 0)
    taken = order.rows(np.arange(order.length(epoch)), epoch)
    clips = np.array(rows.strings("clip"))
    available = Counter(clips.tolist())
    assert len(set(taken.tolist())) == len(taken)
    assert Counter(clips[taken].tolist()) == {clip: min(k, count) for clip, count in available.items()}


def test_frames_per_clip_draws_other_frames_each_epoch(rows: Rows) -> None:
    order = Order(Policy(name="sequential", frames_per_clip=1), rows, 0)
    epochs = [tuple(order.rows(np.arange(order.length(e)), e).tolist()) for e in range(8)]
    assert len(set(epochs)) == 8


def test_balanced_and_frames_per_clip_go_together(rows: Rows) -> None:
    order = Order(Policy(name="balanced", frames_per_clip=1), rows, 0)
    taken = order.rows(np.arange(order.length(0)), 0)
    codes, names = rows.codes("method")
    runs = codes[taken][: len(taken) // len(names) * len(names)].reshape(-1, len(names))
    assert (np.sort(runs, axis=1) == np.arange(len(names))).all()


def test_a_position_past_the_end_is_refused(rows: Rows) -> None:
    with pytest.raises(IndexError):
        Order(Policy(), rows, 0).rows(np.array([len(rows)]), 0)


def test_an_unknown_policy_names_the_nearest() -> None:
    with pytest.raises(DfxError, match="did you mean balanced"):
        Policy(name="balance")  # type: ignore[arg-type]


def test_an_unknown_column_to_balance_by_is_refused(rows: Rows) -> None:
    with pytest.raises(DfxError, match="unknown column 'methods'; did you mean method"):
        Order(Policy(name="balanced", by="methods"), rows, 0)
