"""Rows gathered by class or clip, in memory or in a file."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.errors import DfxError
from dataengine.order import Balanced, Groups, Order, Policy, Shuffled, members
from tests.dataengine.order.made_rows import make_rows


@settings(max_examples=300)
@given(codes=st.lists(st.integers(0, 7), min_size=1, max_size=60), chunk=st.integers(1, 9), data=st.data())
def test_gathered_rows_are_sorted_by_part_then_row(codes: list[int], chunk: int, data: st.DataObject) -> None:
    parts = data.draw(st.none() | st.permutations(range(8)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members, "_CHUNK", chunk)
        rows, starts = members.gather(np.array(codes), 8, None if parts is None else np.array(parts))
    part_of = np.array(codes) if parts is None else np.array(parts)[codes]
    assert rows.tolist() == np.argsort(part_of, kind="stable").tolist()
    assert starts.tolist() == [0, *np.cumsum(np.bincount(part_of, minlength=8)).tolist()]


@pytest.mark.parametrize(
    "policy", [Balanced(), Shuffled(frames_per_clip=2), Groups(classes=2, per_class=3)], ids=lambda p: p.name
)
def test_an_order_kept_in_a_file_is_the_one_kept_in_memory(
    policy: Policy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = make_rows(2000, clips=300, classes=5)
    in_memory = Order(policy, rows, 0)
    monkeypatch.setattr(members, "_IN_MEMORY", 0)
    monkeypatch.setattr(members.tempfile, "tempdir", str(tmp_path))
    in_file = Order(policy, rows, 0)
    positions = np.arange(in_memory.length(0))
    assert (in_file.rows(positions, 3) == in_memory.rows(positions, 3)).all()
    assert list(tmp_path.iterdir()) == []  # the file has no name: a killed process leaves none


def test_a_row_takes_four_bytes_and_eight_past_two_to_the_32() -> None:
    assert members.new_members(3, 2**32 - 1).itemsize == 4
    assert members.new_members(3, 2**32).itemsize == 8


def test_no_room_for_the_file_is_an_error_and_no_crash_later(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, _: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(members, "_IN_MEMORY", 0)
    monkeypatch.setattr(members.tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(
        DfxError, match=r"no room for an order of 100 rows in .* \(No space left on device\); set TMPDIR"
    ):
        members.new_members(100, 100)
