"""The bar chart of a measurement."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from dataengine.errors import DfxError
from dataengine.throughput import Report, Result, Settings, machine
from dataengine.throughput.chart import save_chart


def result(name: str, rate: float) -> Result:
    ratio = rate / 1000
    return Result(
        name=name,
        what=name,
        images_per_s=rate,
        low=rate * 0.9,
        high=rate * 1.1,
        rates=(rate * 0.9, rate, rate * 1.1),
        ratio=ratio,
        ours=None,
        cpu_us=1.0,
        first_batch_s=None,
    )


REPORT = Report(
    settings=Settings(),
    stores=["shards/made"],
    num_images=512,
    mean_bytes=25000.0,
    results=[result("raw_read", 9000), result("bare_decode", 1000), result("cpu", 800), result("ffcv", 500)],
    skipped={},
    machine=machine(),
)


def test_the_chart_is_a_picture_that_grows_with_the_contenders(tmp_path: Path) -> None:
    save_chart(REPORT, tmp_path / "new folder" / "few.png")
    more = replace(REPORT, results=[*REPORT.results, *(result(f"peer {i}", 100 + i) for i in range(5))])
    save_chart(more, tmp_path / "many.png")
    few, many = cv2.imread(str(tmp_path / "new folder" / "few.png")), cv2.imread(str(tmp_path / "many.png"))
    assert few.shape[1] == many.shape[1]
    assert few.shape[0] < many.shape[0]


def test_the_chart_of_bounds_alone_can_be_drawn(tmp_path: Path) -> None:
    save_chart(replace(REPORT, results=REPORT.results[:2]), tmp_path / "bounds.png")
    assert (tmp_path / "bounds.png").exists()


@pytest.mark.parametrize("name", ["chart.exe", "file/chart.png"])
def test_a_chart_that_cannot_be_written_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DfxError, match="cannot be written"):
        save_chart(REPORT, tmp_path / name)
