"""Derived splits."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.records import Clip
from dataengine.splits import derive, lacking, shared_identities, split_sizes


def clip(target: str, source: str = "", split: str = "") -> Clip:
    return Clip(
        clip=f"{target}-{source}",
        paths=("x",),
        media="video",
        dataset="x",
        split=split,
        raw_method="m" if source else "original",
        method="m" if source else "real",
        category="",
        quality="",
        target_id=target,
        source_id=source,
    )


names = st.sampled_from([f"p{n}" for n in range(20)])
pairs = st.lists(st.tuples(names, names), max_size=60)


@given(pairs=pairs, seed=st.integers(0, 1000))
def test_no_identity_is_in_two_splits(pairs: list[tuple[str, str]], seed: int) -> None:
    clips = derive([clip(target, source) for target, source in pairs], seed)
    assert shared_identities(clips) == {}
    assert len(clips) == len(pairs)


@given(pairs=pairs, seed=st.integers(0, 1000))
def test_every_clip_gets_a_split_and_only_fakes_across_splits_get_none(pairs: list[tuple[str, str]], seed: int) -> None:
    clips = derive([*(clip(target, source) for target, source in pairs), *(clip(target) for target, _ in pairs)], seed)
    assert {made.split for made in clips} <= {"train", "val", "test", "none"}
    split_of = {made.target_id: made.split for made in clips if not made.source_id}
    for made in clips:
        if made.split == "none":
            assert made.source_id
            assert split_of[made.target_id] != split_of.get(made.source_id)


@given(pairs=pairs)
def test_the_order_of_the_clips_does_not_matter(pairs: list[tuple[str, str]]) -> None:
    clips = [clip(target, source) for target, source in pairs]
    forward, backward = derive(clips, 0), derive(clips[::-1], 0)
    assert forward == backward[::-1]


@given(count=st.integers(3, 200), seed=st.integers(0, 1000))
def test_every_split_gets_an_identity_where_there_are_three(count: int, seed: int) -> None:
    assert {made.split for made in derive([clip(f"p{n}") for n in range(count)], seed)} == {"train", "val", "test"}


def test_shares_are_those_of_the_identities() -> None:
    clips = derive([clip(f"p{n}") for n in range(1000)], 0)
    assert [sum(made.split == split for made in clips) for split in ("train", "val", "test")] == [720, 140, 140]


def test_a_small_dataset_keeps_enough_test_identities_for_an_interval() -> None:
    assert split_sizes(40) == {"train": 22, "val": 6, "test": 12}


def test_an_official_split_is_kept_and_shared_identities_are_counted() -> None:
    clips = derive([clip("a", split="test"), clip("a"), clip("b"), clip("c"), clip("d")], 0)
    assert clips[0].split == "test"
    a = clips[1].split
    assert shared_identities(clips) == ({} if a == "test" else {f"{a}+test": 1})


@given(pairs=st.integers(3, 100), seed=st.integers(0, 100))
def test_people_who_swap_with_each_other_stay_together_and_no_fake_is_lost(pairs: int, seed: int) -> None:
    swaps = [(f"p{n}", f"p{n ^ 1}") for n in range(2 * pairs)]
    clips = derive([clip(target, source) for target, source in swaps], seed)
    assert {made.split for made in clips} == {"train", "val", "test"}


def test_one_large_circle_is_dealt_by_identity() -> None:
    ring = derive([clip(f"p{n}", f"p{(n + 1) % 100}") for n in range(100)], 0)
    assert {made.split for made in ring} == {"train", "val", "test", "none"}


@given(reals=st.integers(3, 60), fakes=st.integers(3, 60), both=st.integers(0, 60), seed=st.integers(0, 100))
def test_people_of_one_label_alone_are_in_each_split_whatever_the_others_are(
    reals: int, fakes: int, both: int, seed: int
) -> None:
    alone = [clip(f"r{n}") for n in range(reals)] + [replace(clip(f"f{n}"), method="m") for n in range(fakes)]
    mixed = [made for n in range(both) for made in (clip(f"b{n}"), replace(clip(f"b{n}"), method="m"))]
    clips = derive([*alone, *mixed], seed)
    for letter in "rf":
        found = {made.split for made in clips if made.target_id.startswith(letter)}
        assert found == {"train", "val", "test"}


def test_whole_splits_lack_nothing() -> None:
    assert lacking([(split, label) for split in ("train", "val", "test") for label in (0, 1)]) == []
    assert lacking([]) == []


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ([("train", 0), ("train", 1), ("test", 0), ("test", 1)], ["no clip is in val: a training chooses"]),
        ([("train", 0), ("train", 1), ("val", 0), ("val", 1)], ["no clip is in test: .*STORE@split=val"]),
        ([("train", 0), ("train", 1)], ["no clip is in val", "no clip is in test: .*STORE@split=train"]),
        ([("test", 0), ("test", 1), ("none", 1)], []),
        ([("train", 0), ("train", 1), ("val", 0), ("test", 1), ("test", 0)], ["val holds no fake"]),
        ([(split, 1) for split in ("train", "val", "test")], ["every clip is fake: the reals .* of another store"]),
        ([(split, 0) for split in ("train", "val", "test")], ["every clip is real: the fakes .* of another store"]),
    ],
)
def test_a_split_that_is_empty_or_of_one_label_is_said_once(held: list[tuple[str, int]], says: list[str]) -> None:
    lines = lacking(held)
    assert len(lines) == len(says)
    assert all(re.match(pattern, line) for pattern, line in zip(says, lines, strict=True))


def test_nothing_is_added_to_a_split_that_is_official() -> None:
    clips = derive([clip("a", split="test"), *(clip(f"p{n}") for n in range(100))], 0)
    assert [made.clip for made in clips if made.split == "test"] == ["a-"]
    assert {made.split for made in clips[1:]} == {"train", "val"}
