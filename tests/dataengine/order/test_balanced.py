"""Balanced: each class once in every run, each of its items equally often."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.errors import DfxError
from dataengine.order import Balanced, Order
from tests.dataengine.order.made_rows import MadeRows, any_rows, balanced, limits, make_rows


def class_of_rows(rows: MadeRows, by: tuple[str, ...]) -> np.ndarray:
    return np.unique(np.stack([rows.columns[column] for column in by]), axis=1, return_inverse=True)[1].reshape(-1)


@settings(max_examples=800)
@given(rows=any_rows(), policy=balanced(), epoch=st.integers(0, 9), seed=st.integers(0, 2**32))
def test_every_run_of_as_many_positions_as_classes_holds_each_class_once(
    rows: MadeRows, policy: Balanced, epoch: int, seed: int
) -> None:
    classes = class_of_rows(rows, policy.by)
    order = Order(policy, rows, seed)
    num_classes = classes.max() + 1
    seen = classes[order.rows(np.arange(order.length(epoch)), epoch)]
    runs = seen[: len(seen) // num_classes * num_classes].reshape(-1, num_classes)
    assert (np.sort(runs, axis=1) == np.arange(num_classes)).all()
    rest = seen[len(runs) * num_classes :]
    assert len(set(rest.tolist())) == len(rest)


@settings(max_examples=800)
@given(rows=any_rows(), policy=balanced(), epoch=st.integers(0, 9))
def test_the_visits_of_a_classs_items_differ_by_one_at_most(rows: MadeRows, policy: Balanced, epoch: int) -> None:
    classes, clips = class_of_rows(rows, policy.by), rows.columns["clip"]
    order = Order(policy, rows, 0)
    taken = order.rows(np.arange(order.length(epoch)), epoch)
    for of_class in range(classes.max() + 1):
        frames = np.unique(clips[classes == of_class], return_counts=True)[1]
        items = int(np.minimum(frames, policy.frames_per_clip or len(rows)).sum())
        visits = np.unique(taken[classes[taken] == of_class], return_counts=True)[1]
        each, rest = divmod(int(visits.sum()), items)
        expected = [each] * (items - rest) + [each + 1] * rest
        assert sorted(visits.tolist()) == [number for number in expected if number]


@given(rows=any_rows(), limit=limits)
def test_an_epoch_is_as_long_as_there_are_items(rows: MadeRows, limit: int | None) -> None:
    frames = np.bincount(rows.columns["clip"])
    items = np.minimum(frames, limit or len(rows)).sum()
    assert Order(Balanced(frames_per_clip=limit), rows, 0).length(0) == items


def test_frames_per_clip_needs_clips_of_one_class_each() -> None:
    rows = MadeRows(6, {"clip": np.array([0, 0, 0, 1, 1, 1]), "origin": np.array([0, 1, 0, 1, 1, 1])})
    assert Order(Balanced(by=("origin",)), rows, 0).length(0) == 6
    with pytest.raises(DfxError, match="origin change within a clip"):
        Order(Balanced(by=("origin",), frames_per_clip=2), rows, 0)


def test_a_small_class_comes_again_in_a_new_order() -> None:
    rows = make_rows(40, clips=20, classes=2, seed=1)
    classes = rows.columns["method"]
    order = Order(Balanced(length=400), rows, 0)
    taken = order.rows(np.arange(400), 0)
    small = int(np.argmin(np.bincount(classes)))
    visits = taken[classes[taken] == small]
    size = int((classes == small).sum())
    laps = visits[: len(visits) // size * size].reshape(-1, size)
    assert (np.sort(laps, axis=1) == np.flatnonzero(classes == small)).all()
    assert len({tuple(lap) for lap in laps.tolist()}) > 1
