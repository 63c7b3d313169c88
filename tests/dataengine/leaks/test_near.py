"""Near hashes are all found, and each pair once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.leaks import near
from dataengine.leaks.near import NEAR_BITS, bits_apart, near_hashes, same_detail
from dataengine.leaks.signature import SIDE, signatures
from tests.dataengine.leaks.made import scene

WORD = st.integers(0, 2**64 - 1)


@st.composite
def families(draw: st.DrawFn) -> np.ndarray:
    """Hashes, some of them others with a few bits changed: the distances around the bound are the hard ones."""
    hashes = draw(st.lists(WORD, min_size=1, max_size=8))
    for _ in range(draw(st.integers(0, 12))):
        flips = draw(st.sets(st.integers(0, 63), max_size=NEAR_BITS + 2))
        hashes.append(draw(st.sampled_from(hashes)) ^ sum(1 << bit for bit in flips))
    return np.array(hashes, dtype=np.uint64)


def pairs_of(hashes: np.ndarray) -> list[tuple[int, int]]:
    return sorted(
        tuple(sorted(pair)) for i, j in near_hashes(hashes) for pair in zip(i.tolist(), j.tolist(), strict=True)
    )


def expected(hashes: np.ndarray) -> list[tuple[int, int]]:
    words = [int(word) for word in hashes]
    count = len(words)
    return [(i, j) for i in range(count) for j in range(i + 1, count) if (words[i] ^ words[j]).bit_count() <= NEAR_BITS]


@given(hashes=families())
def test_every_pair_within_the_distance_is_found_once_and_no_other(hashes: np.ndarray) -> None:
    assert pairs_of(hashes) == expected(hashes)


def test_pairs_are_the_same_in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = np.random.default_rng(0).integers(0, 2**12, 200, dtype=np.uint64)
    whole = pairs_of(hashes)
    monkeypatch.setattr(near, "_PAIRS_AT_ONCE", 50)
    assert len(list(near_hashes(hashes))) > 100
    assert pairs_of(hashes) == whole == expected(hashes)


@given(a=WORD, b=WORD)
def test_bits_apart_is_the_number_of_differing_bits(a: int, b: int) -> None:
    apart = bits_apart(np.array([a], dtype=np.uint64), np.array([b], dtype=np.uint64))
    assert apart.tolist() == [(a ^ b).bit_count()]


def test_noise_over_the_same_shading_shares_the_hash_and_not_the_detail() -> None:
    shading = np.add.outer(np.linspace(0, 200, SIDE), 10 * np.sin(np.arange(SIDE) / 5)) + 20
    noisy = [shading + np.random.default_rng(number).normal(0, 3, shading.shape) for number in range(2)]
    words, plain = signatures(np.stack(noisy).clip(0, 255).astype(np.uint8))
    assert not plain.any()
    assert not same_detail(words, np.array([0]), np.array([1])).any()


def test_signatures_of_different_scenes_differ_in_half_of_their_bits() -> None:
    words, _ = signatures(np.stack([scene(number, SIDE)[..., 1] for number in range(40)]))
    i, j = np.triu_indices(40, 1)
    assert 28 < bits_apart(words[i, 0], words[j, 0]).mean() < 36
    assert not same_detail(words, i, j).any()


def test_a_plain_image_is_marked() -> None:
    images = np.stack([np.full((SIDE, SIDE), 9), scene(0, SIDE)[..., 0]]).astype(np.uint8)
    assert signatures(images)[1].tolist() == [True, False]
