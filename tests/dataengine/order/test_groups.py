"""Groups: P classes times K items of different clips."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.errors import DfxError
from dataengine.order import Groups, Order
from tests.dataengine.order.made_rows import Ints, MadeRows, any_rows, fitting_groups, make_rows
from tests.dataengine.order.test_balanced import class_of_rows


def epoch_in_groups(rows: MadeRows, policy: Groups, epoch: int) -> tuple[Ints, Ints, Ints]:
    """Rows, their classes and their clips, (groups, P, K)."""
    order = Order(policy, rows, 0)
    assert order.length(epoch) == policy.length // policy.group * policy.group
    taken = order.rows(np.arange(order.length(epoch)), epoch).reshape(-1, policy.classes, policy.per_class)
    return taken, class_of_rows(rows, policy.by)[taken], rows.columns["clip"][taken]


@settings(max_examples=600)
@given(rows=any_rows(), data=st.data(), epoch=st.integers(0, 9))
def test_a_group_holds_so_many_different_classes_and_clips(rows: MadeRows, data: st.DataObject, epoch: int) -> None:
    policy = data.draw(fitting_groups(rows))
    all_classes = class_of_rows(rows, policy.by)
    _, classes, clips = epoch_in_groups(rows, policy, epoch)
    for group_classes, group_clips in zip(classes, clips, strict=True):
        assert (group_classes == group_classes[:, :1]).all()
        assert len(set(group_classes[:, 0].tolist())) == policy.classes
        for of_class, of_clip in zip(group_classes[:, 0], group_clips, strict=True):
            there = len(set(rows.columns["clip"][all_classes == of_class].tolist()))
            visits = Counter(of_clip.tolist())
            assert len(visits) == min(there, policy.per_class)
            assert set(visits.values()) <= {policy.per_class // there, -(-policy.per_class // there)}


@settings(max_examples=400)
@given(rows=any_rows(), data=st.data(), epoch=st.integers(0, 9))
def test_each_class_comes_equally_often_in_every_block(rows: MadeRows, data: st.DataObject, epoch: int) -> None:
    policy = data.draw(fitting_groups(rows))
    num_classes = class_of_rows(rows, policy.by).max() + 1
    block = num_classes // math.gcd(num_classes, policy.classes)
    _, classes, _ = epoch_in_groups(rows, policy, epoch)
    for start in range(0, len(classes) - block + 1, block):
        visits = np.bincount(classes[start : start + block, :, 0].reshape(-1), minlength=num_classes)
        assert len(set(visits.tolist())) == 1


@settings(max_examples=400)
@given(rows=any_rows(max_rows=80), data=st.data(), epoch=st.integers(0, 9))
def test_a_classs_clips_and_a_clips_frames_come_equally_often(rows: MadeRows, data: st.DataObject, epoch: int) -> None:
    policy = data.draw(fitting_groups(rows))
    taken, classes, clips = epoch_in_groups(rows, policy, epoch)
    all_classes = class_of_rows(rows, policy.by)
    for of_class in set(classes.reshape(-1).tolist()):
        own = np.unique(rows.columns["clip"][all_classes == of_class])
        visits = clips[classes == of_class].reshape(-1, policy.per_class)
        block = len(own) // math.gcd(len(own), policy.per_class)
        for start in range(0, len(visits) - block + 1, block):
            assert len(set(Counter(visits[start : start + block].reshape(-1).tolist()).values())) == 1
            assert len(np.unique(visits[start : start + block])) == len(own)
    for clip in set(clips.reshape(-1).tolist()):
        frames = taken[clips == clip].tolist()
        given_out = min(policy.frames_per_clip or len(rows), int((rows.columns["clip"] == clip).sum()))
        lap = set(frames[:given_out])
        assert len(lap) == min(given_out, len(frames))
        for start in range(0, len(frames) - given_out + 1, given_out):
            seen = set(frames[start : start + given_out])
            assert len(seen) == given_out
            assert policy.frames_per_clip is None or seen == lap


def test_an_epoch_without_a_length_is_the_items_in_whole_groups() -> None:
    rows = make_rows(103, clips=20, classes=3)
    assert Order(Groups(classes=2, per_class=5), rows, 0).length(0) == 100


def test_more_classes_than_there_are_is_refused_with_their_number() -> None:
    rows = make_rows(50, clips=20, classes=3)
    with pytest.raises(DfxError, match="have 3 classes by method, fewer than 4; take classes=3 or less"):
        Order(Groups(classes=4, per_class=2), rows, 0)


def test_an_epoch_that_holds_no_group_is_refused_with_what_it_takes() -> None:
    with pytest.raises(DfxError, match="an epoch of 9 positions holds no group of 10"):
        Order(Groups(classes=1, per_class=10), make_rows(9), 0)


def test_a_group_is_what_belongs_together() -> None:
    assert Groups(classes=4, per_class=8).group == 32
