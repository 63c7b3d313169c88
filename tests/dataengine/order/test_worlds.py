"""Any world size: what ranks are handed, where batches begin, and going on in the middle of an epoch."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataengine.augment import augment_preset
from dataengine.errors import DfxError
from dataengine.order import Groups, Order, Policy, Shuffled
from dataengine.parts import Parts, check_batch
from tests.dataengine.order.made_rows import Ints, MadeRows, any_rows, fitting, once

epochs = st.integers(0, 9)
worlds = st.integers(1, 9)


def handed_out(
    rows: Any, policy: Policy, *, batch: int, world: int, epoch: int, train: bool = True, position: int = 0
) -> Ints:
    """(batches, world, part): the rows that each rank is handed."""
    mode: Literal["train", "eval"] = "train" if train else "eval"
    assume(not train or batch <= Order(policy, rows, 7).length(epoch))
    ranks = []
    for rank in range(world):
        parts = Parts(
            rows,
            policy,
            augment_preset("none"),
            batch=batch,
            mode=mode,
            seed=7,
            rank=rank,
            world_size=world,
            gathered=True,
        )
        chunks = [part_rows for _, _, part_rows in parts.rows(epoch, position)]
        ranks.append(np.concatenate(chunks) if chunks else np.empty((0, parts.size), dtype=np.int64))
        assert len(ranks[-1]) == parts.batches(epoch) - position // batch
        assert position or (ranks[-1] >= 0).sum() == parts.samples(epoch)
    return np.stack(ranks, axis=1)


@settings(max_examples=700)
@given(rows=any_rows(max_stores=3), data=st.data(), world=worlds, part=st.integers(1, 8), epoch=epochs)
def test_the_global_order_is_the_same_for_each_world_size_that_divides_the_batch(
    rows: MadeRows, data: st.DataObject, world: int, part: int, epoch: int
) -> None:
    policy = data.draw(fitting(rows))
    order, batch = Order(policy, rows, 7), world * part * policy.group
    length = order.length(epoch) // batch * batch  # the ragged end is left out, by every rank alike
    expected = order.rows(np.arange(length), epoch).reshape(-1, batch)
    for size in (world, 1, part):
        found = handed_out(rows, policy, batch=batch, world=size, epoch=epoch)
        assert found.shape == (len(expected), size, batch // size)
        assert found.reshape(expected.shape).tolist() == expected.tolist()


@settings(max_examples=600)
@given(rows=any_rows(max_stores=3), data=st.data(), worlds=st.tuples(worlds, worlds), epoch=epochs)
def test_a_resumed_stream_goes_on_with_exactly_the_next_sample_on_any_world_size(
    rows: MadeRows, data: st.DataObject, worlds: tuple[int, int], epoch: int
) -> None:
    policy = data.draw(fitting(rows))
    batch = int(np.lcm(*worlds)) * policy.group
    whole = handed_out(rows, policy, batch=batch, world=worlds[0], epoch=epoch).reshape(-1, batch)
    after = data.draw(st.integers(0, len(whole)))
    rest = handed_out(rows, policy, batch=batch, world=worlds[1], epoch=epoch, position=after * batch)
    assert rest.reshape(-1, batch).tolist() == whole[after:].tolist()


@settings(max_examples=600)
@given(rows=any_rows(), policy=once, world=worlds, batch=st.integers(1, 60), epoch=epochs)
def test_evaluation_hands_out_each_item_once_for_any_batch_and_world_size(
    rows: MadeRows, policy: Policy, world: int, batch: int, epoch: int
) -> None:
    order = Order(policy, rows, 7)
    found = handed_out(rows, policy, batch=batch, world=world, epoch=epoch, train=False)
    expected = order.rows(np.arange(order.length(epoch)), epoch)
    assert found[found >= 0].tolist() == expected.tolist()
    assert (found >= -1).all()


@settings(max_examples=300)
@given(rows=any_rows(), data=st.data(), world=worlds, batch=st.integers(1, 60))
def test_training_leaves_out_less_than_a_batch_and_repeats_nothing(
    rows: MadeRows, data: st.DataObject, world: int, batch: int
) -> None:
    policy = data.draw(once)
    batch *= world
    found = handed_out(rows, policy, batch=batch, world=world, epoch=0)
    assert max(Counter(found.reshape(-1).tolist()).values(), default=1) == 1
    assert 0 <= Order(policy, rows, 7).length(0) - found.size < batch


@settings(max_examples=600)
@given(
    batch=st.integers(1, 2000),
    world=st.integers(1, 64),
    classes=st.integers(1, 6),
    per_class=st.integers(1, 6),
    gathered=st.booleans(),
)
def test_a_batch_that_cannot_be_divided_is_refused_with_the_nearest_that_can(
    batch: int, world: int, classes: int, per_class: int, gathered: bool
) -> None:
    policy = Groups(classes=classes, per_class=per_class)
    length = 10**6

    def works(size: int) -> bool:
        groups_on = size if gathered else size // world
        return size > 0 and size % world == 0 and groups_on % policy.group == 0

    if works(batch):
        check_batch(policy, length, batch=batch, world_size=world, gathered=gathered)
        return
    with pytest.raises(DfxError) as error:
        check_batch(policy, length, batch=batch, world_size=world, gathered=gathered)
    near = int(re.search(r"take a batch of (\d+)", str(error.value))[1])
    assert works(near)
    assert not any(works(size) for size in range(batch - abs(near - batch) + 1, batch + abs(near - batch)))


@settings(max_examples=200)
@given(length=st.integers(4, 500), part=st.integers(1, 100), world=st.integers(2, 64))
def test_the_batch_that_is_named_fits_the_epoch(length: int, part: int, world: int) -> None:
    assume(length >= world)
    with pytest.raises(DfxError) as error:
        check_batch(Shuffled(), length, batch=part * world + 1, world_size=world, gathered=False)
    near = int(re.search(r"take a batch of (\d+)", str(error.value))[1])
    check_batch(Shuffled(), length, batch=near, world_size=world, gathered=False)


@settings(max_examples=200)
@given(length=st.integers(1, 500), part=st.integers(1, 100), world=worlds)
def test_an_epoch_shorter_than_a_batch_is_refused_rather_than_empty(length: int, part: int, world: int) -> None:
    batch = part * world
    assume(length < batch)
    with pytest.raises(DfxError, match=f"an epoch of {length} samples"):
        check_batch(Shuffled(), length, batch=batch, world_size=world, gathered=False)
