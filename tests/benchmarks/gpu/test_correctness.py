"""The comparison of DALI's pixels with libjpeg-turbo's, run small on a CPU."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import correctness
from benchmarks.gpu.correctness import DRAWN, KINDS, LEFT_OUT, QUALITIES, difference, found, keep
from benchmarks.gpu.record import Record, Row


@pytest.mark.skipif(sys.platform != "linux", reason="DALI is for Linux")
def test_every_kind_and_every_draw_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = ["correctness", "--device", "cpu", "--images", "1", "--side", "32", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", program)
    correctness.main()
    told = json.loads((tmp_path / "gpu-correctness-cpu.json").read_text())
    assert told["not_measured"] == []
    decoded = [row for row in told["rows"] if row["part"] == "decoding"]
    expected = {(kind, quality, fancy) for kind in KINDS for quality in QUALITIES for fancy in (True, False)}
    assert {(row["kind"], row["quality"], row["fancy"]) for row in decoded} == expected
    assert len(decoded) == 4 * len(expected)
    assert {row["drawn"] for row in told["rows"] if row["part"] == "drawing"} == set(DRAWN)
    assert told["found"]["largest_with_fancy"] <= 2
    assert told["found"]["draws_agree_to_2_of_255"] is True
    assert all(told["found"]["draws_left_out"].values())


def test_a_difference_counts_pixels_not_channels() -> None:
    images = torch.zeros((1, 1, 2, 2, 3), dtype=torch.uint8)
    others = images.clone()
    others[0, 0, 0, 0] = torch.tensor([6, 3, 3])
    others[0, 0, 1, 1, 0] = 2
    assert difference(images, others) == {"mean": round(14 / 12, 4), "largest": 6, "beyond_percent": 25.0}


def test_a_comparison_that_fails_is_kept_with_its_reason_and_the_next_goes_on() -> None:
    def failing() -> Iterator[Row]:
        yield {"kind": "a", "largest": 1}
        yield {"kind": "b", "why": "no such decoder"}
        raise MemoryError("out of\n  memory")

    record = Record("correctness", "cpu", {})
    keep(record, failing, part="decoding")
    keep(record, lambda: iter([{"kind": "c", "largest": 0}]), part="decoding")
    assert [row["kind"] for row in record.rows] == ["a", "c"]
    assert [row["why"] for row in record.not_measured] == ["no such decoder", "MemoryError: out of memory"]


@pytest.mark.parametrize(("largest", "agree"), [(2, True), (3, False)])
def test_draws_agree_where_all_but_those_left_out_do(largest: int, agree: bool) -> None:
    others = {"mean": 0.1, "beyond_percent": 0.0, "part": "drawing", "of": "4:2:0"}
    rows = [{**others, "drawn": name, "largest": 9 if name in LEFT_OUT else largest} for name in DRAWN]
    assert found(rows, [])["draws_agree_to_2_of_255"] is agree
    assert found(rows[1:], [])["draws_agree_to_2_of_255"] is None
    assert found(rows, [{"part": "drawing", "drawn": "crop"}])["draws_agree_to_2_of_255"] is None
    assert found(rows, [{"part": "drawing", "drawn": "jpeg"}])["draws_agree_to_2_of_255"] is agree
    assert found([], [])["largest_with_fancy"] is None
