"""An order over a store's rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dataengine.errors import DfxError
from dataengine.order import Balanced, Order, Shuffled, parse_policy
from dataengine.selection import Rows, select
from dataengine.store import Store
from tests.dataengine.order.made_rows import make_rows


@pytest.fixture(scope="module")
def rows(mini_store: Store) -> Rows:
    return select([f"{mini_store.root}@split=train", f"{mini_store.root}@split=val"])


@pytest.mark.parametrize(
    "text",
    [
        "sequential:frames_per_clip=2",
        "shuffled",
        "blocked:window=1",
        "balanced:by=method+dataset",
        "balanced:by=label,frames_per_clip=1",
        "groups:classes=2,per_class=3,by=label",
        "mixed:mini=1/blocked:frames_per_clip=1",
    ],
)
def test_any_policy_goes_through_the_rows_of_a_store(rows: Rows, text: str) -> None:
    order = Order(parse_policy(text), rows, 0)
    taken = order.rows(np.arange(order.length(0)), 0)
    assert 0 <= taken.min() <= taken.max() < len(rows)
    assert taken.dtype == np.int64
    visits = np.bincount(taken)
    assert visits.max() == 1 or text.startswith(("balanced", "groups"))


def test_other_rows_and_another_policy_have_another_order(rows: Rows) -> None:
    fewer = select([f"{rows.stores[0].root}@split=train"])
    positions = np.arange(10)
    train = Order(Shuffled(), fewer, 0).rows(positions, 0).tolist()
    assert train != Order(Shuffled(), rows, 0).rows(positions, 0).tolist()
    classes = replace(Balanced(), by=("label",))
    assert Order(classes, rows, 0).rows(positions, 0).tolist() != Order(Balanced(), rows, 0).rows(positions, 0).tolist()


def test_rows_have_the_shape_of_the_positions() -> None:
    order = Order(Shuffled(), make_rows(20), 0)
    assert order.rows(np.arange(12).reshape(3, 4), 0).shape == (3, 4)
    assert order.rows(np.empty(0, dtype=np.int64), 0).shape == (0,)


@pytest.mark.parametrize("position", [-1, 20])
def test_a_position_outside_the_epoch_is_refused(position: int) -> None:
    with pytest.raises(IndexError):
        Order(Shuffled(), make_rows(20), 0).rows(np.array([position]), 0)


def test_no_rows_are_refused() -> None:
    with pytest.raises(DfxError, match="no rows to put in an order"):
        Order(Shuffled(), make_rows(0), 0)
