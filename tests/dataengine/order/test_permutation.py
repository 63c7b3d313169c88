"""The keyed permutation and the hash under every order and every draw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.order import counter_hash, permute, uniform

sizes = st.integers(1, 2000)
keys = st.integers(0, 2**64 - 1)


@settings(max_examples=500)
@given(n=sizes, key=keys)
def test_permute_is_a_permutation_for_any_size_and_key(n: int, key: int) -> None:
    assert sorted(permute(np.arange(n), n, key).tolist()) == list(range(n))


@settings(max_examples=500)
@given(n=sizes, key=keys, data=st.data())
def test_permute_gives_the_same_for_a_position_whatever_stands_beside_it(n: int, key: int, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, n - 1))
    whole = permute(np.arange(n), n, key)
    assert permute(np.array([position]), n, key)[0] == whole[position]
    mixed = permute(np.array([0, position]), np.array([1, n]), np.array([5, key], dtype=np.uint64))
    assert mixed[1] == whole[position]


def test_long_runs_of_a_key_give_the_same_as_short_ones() -> None:
    index = np.arange(60_000)
    run_keys = counter_hash(3, index // 20_000)
    together = permute(index % 20_000, 20_000, run_keys)
    shuffled = np.random.default_rng(0).permutation(len(index))
    assert (permute(index[shuffled] % 20_000, 20_000, run_keys[shuffled]) == together[shuffled]).all()


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


@settings(max_examples=200)
@given(words=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4))
def test_uniform_lies_in_the_half_open_unit_interval(words: list[int]) -> None:
    value = uniform(counter_hash(*words))
    assert 0 <= value < 1
