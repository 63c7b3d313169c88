"""The orders of a made-up index, pinned: they may never change, or resumed runs would see other samples."""

from __future__ import annotations

import numpy as np
import pytest
import xxhash

from dataengine.order import Order, parse_policy
from tests.dataengine.order.made_rows import MadeRows, MadeStore


def index() -> MadeRows:
    """1,000 rows of 2 stores, 100 clips and 5 classes in 20 shards, from arithmetic alone."""
    row = np.arange(1000)
    clip = row * 7919 % 50 + 50 * (row // 600)
    return MadeRows(
        1000,
        {"store": row // 600, "clip": clip, "method": clip % 5, "dataset": row // 600},
        (MadeStore("ff++"), MadeStore("celeb-df", "other")),
        np.full(20, 50),
    )


GOLDEN: dict[str, tuple[list[int], str]] = {
    "sequential": ([0, 1, 2, 3, 4, 5, 6, 7], "29462356e2d9061a"),
    "sequential:frames_per_clip=3": ([150, 0, 50, 451, 201, 551, 452, 302], "eb26e38b3ebd2f1f"),
    "shuffled": ([869, 477, 672, 245, 775, 806, 201, 206], "e4521f764e0ea5e0"),
    "shuffled:frames_per_clip=3": ([467, 683, 186, 709, 781, 730, 891, 193], "9d69fa5666d75ade"),
    "blocked:window=3": ([737, 685, 392, 398, 375, 382, 681, 743], "bdc299af47e83154"),
    "blocked:frames_per_clip=3": ([642, 102, 826, 417, 189, 669, 978, 765], "a27e49fe5ae92972"),
    "balanced": ([853, 340, 637, 456, 739, 110, 602, 111], "3d3c011b896fb280"),
    "balanced:by=method+dataset,length=700,frames_per_clip=4": (
        [275, 939, 108, 584, 613, 742, 221, 856],
        "bfdeb4f114744d1f",
    ),
    "groups:classes=3,per_class=4": ([77, 382, 882, 717, 324, 129, 549, 584], "6e53c6041cdad5e1"),
    "groups:classes=2,per_class=6,by=dataset,length=600,frames_per_clip=2": (
        [874, 778, 970, 725, 990, 946, 233, 165],
        "8fb052f73a3a063a",
    ),
    "mixed:ff++=2,celeb-df=1": ([150, 765, 259, 122, 842, 398, 204, 961], "250c2c9bda535551"),
    "mixed:celeb-df=1,ff++=0.5,length=900/blocked:window=2": (
        [998, 577, 805, 815, 215, 831, 957, 556],
        "5940b22bbf453019",
    ),
    "mixed:celeb-df=1,ff++=0.5,length=900/balanced:frames_per_clip=2": (
        [959, 504, 757, 958, 597, 776, 950, 400],
        "880e0e91ec7eabe1",
    ),
}


@pytest.mark.parametrize("text", GOLDEN)
def test_the_order_never_changes(text: str) -> None:
    order = Order(parse_policy(text), index(), 42)
    rows = order.rows(np.arange(order.length(3)), 3)
    first, digest = GOLDEN[text]
    assert rows[:8].tolist() == first
    assert xxhash.xxh3_64_hexdigest(rows.astype("<i8").tobytes()) == digest


def test_the_order_of_a_billion_rows_never_changes() -> None:
    order = Order(parse_policy("blocked"), MadeRows(10**9, shards=np.full(10**5, 10**4)), 42)
    assert order.rows(np.array([0, 10**8, 10**9 - 1]), 3).tolist() == [400287457, 279080913, 456851184]
