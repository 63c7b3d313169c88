"""Policies as text, and what they refuse."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.errors import DfxError
from dataengine.order import Balanced, Blocked, Groups, Mixed, Policy, Sequential, Shuffled, parse_policy

counts = st.integers(1, 10**6)
some = st.none() | counts
columns = st.lists(
    st.sampled_from(["method", "dataset", "label", "quality", "category"]), min_size=1, max_size=3, unique=True
).map(tuple)
names = st.text(st.sampled_from("ab+-.:@09 é"), min_size=1, max_size=8).filter(lambda name: name == name.strip())
weights = st.dictionaries(
    names, st.integers(1, 200) | st.integers(1, 200).map(lambda n: n / 4), min_size=1, max_size=4
).map(lambda given: tuple(given.items()))
within = st.one_of(
    st.builds(Sequential, frames_per_clip=some),
    st.builds(Shuffled, frames_per_clip=some),
    st.builds(Blocked, window=counts, frames_per_clip=some),
    st.builds(Balanced, by=columns, length=some, frames_per_clip=some),
)
policies = st.one_of(
    within,
    st.builds(Groups, classes=counts, per_class=counts, by=columns, length=some, frames_per_clip=some),
    st.builds(Mixed, weights=weights, within=within, length=some),
)


@settings(max_examples=800)
@given(policy=policies)
def test_any_policy_is_read_back_from_its_text(policy: Policy) -> None:
    assert parse_policy(str(policy)) == policy
    assert str(parse_policy(str(policy))) == str(policy)


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (Sequential(), "sequential"),
        (Shuffled(frames_per_clip=4), "shuffled:frames_per_clip=4"),
        (Blocked(), "blocked"),
        (Blocked(window=4), "blocked:window=4"),
        (Balanced(), "balanced"),
        (
            Balanced(by=("method", "dataset"), frames_per_clip=4),
            "balanced:by=method+dataset,frames_per_clip=4",
        ),
        (Groups(classes=4, per_class=8), "groups:classes=4,per_class=8"),
        (Mixed(weights={"ff++": 2, "celeb-df": 0.5}), "mixed:ff++=2,celeb-df=0.5"),
        (
            Mixed(weights={"ff++": 2, "celeb-df": 1}, within=Balanced(by=("dataset",)), length=9),
            "mixed:ff++=2,celeb-df=1,length=9/balanced:by=dataset",
        ),
        (Mixed(weights={"a": 1}, frames_per_clip=2), "mixed:a=1/shuffled:frames_per_clip=2"),
    ],
)
def test_the_text_holds_what_differs_from_the_defaults(policy: Policy, text: str) -> None:
    assert str(policy) == text
    assert parse_policy(text) == policy


def test_by_of_a_text_that_names_none_is_the_callers() -> None:
    assert parse_policy("balanced", by=("dataset",)) == Balanced(by=("dataset",))
    assert parse_policy("balanced:by=method", by=("dataset",)) == Balanced()
    assert parse_policy("mixed:a=1/balanced", by=("dataset",)) == Mixed(
        weights={"a": 1}, within=Balanced(by=("dataset",))
    )


def test_spaces_around_settings_do_not_matter() -> None:
    assert parse_policy(" mixed: ff++ = 2, a = 1 / blocked: window = 4 ") == parse_policy(
        "mixed:ff++=2,a=1/blocked:window=4"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("balance", "unknown policy 'balance'; did you mean balanced"),
        ("blocked:windw=3", "unknown setting of policy 'blocked' 'windw'; did you mean window"),
        ("blocked:window=many", "policy 'blocked': window is 'many'; give a whole number"),
        ("blocked:window", "'window' is no setting; write NAME=VALUE"),
        ("blocked:window=0", "policy blocked: window is 0; give a number of at least 1"),
        (f"shuffled:frames_per_clip={10**21}", f"frames_per_clip is {10**21}; give a number of at least 1, below"),
        ("shuffled:frames_per_clip=2,frames_per_clip=3", "gives frames_per_clip twice"),
        ("shuffled:length=3", "unknown setting of policy 'shuffled' 'length'"),
        ("groups:classes=4", "gives no per_class; write it such as groups:classes=4,per_class=8"),
        ("groups:classes=4,per_class=0", "per_class is 0"),
        ("mixed", "no store has a weight; give one for each store"),
        ("mixed:a=b", "policy 'mixed': a is 'b'; give a number"),
        ("mixed:a=0", "the weight of 'a' is 0; give a number above 0"),
        ("mixed:a=1/groups:classes=2,per_class=2", "'groups' cannot be the policy within a store"),
        ("mixed:a=1,frames_per_clip=2/shuffled:frames_per_clip=3", "frames_per_clip is 2, and 3 within the stores"),
        ("balanced:by=methods", "unknown column 'methods'; did you mean method"),
        ("balanced:by=score", "by names 'score', whose numbers are no classes"),
        ("balanced:by=frame", "by names 'frame', whose numbers are no classes"),
        ("balanced:by=method+method", "name at least one column, and each once"),
    ],
)
def test_a_text_that_is_no_policy_is_refused_with_what_to_do(text: str, message: str) -> None:
    with pytest.raises(DfxError) as error:
        parse_policy(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["", "a/b", "a=b", "a,b", " a", "length", "frames_per_clip"])
def test_a_store_whose_name_cannot_stand_in_a_text_is_refused(name: str) -> None:
    with pytest.raises(DfxError, match="policy mixed: "):
        Mixed(weights={name: 1})


def test_columns_may_be_a_list() -> None:
    assert Balanced(by=["method", "dataset"]) == Balanced(by=("method", "dataset"))  # type: ignore[arg-type]


def test_columns_given_as_one_text_are_refused() -> None:
    with pytest.raises(DfxError, match=r"give a tuple of columns, such as \('method',\)"):
        Balanced(by="method")  # type: ignore[arg-type]
