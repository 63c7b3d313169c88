"""The measurement's own promises; what it measures belongs to the machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataengine.errors import DfxError, StoreError
from dataengine.store import Rows
from dataengine.throughput import Settings, measure
from tests.dataengine.made import damage, jpeg, made_rows, picture, png

QUICK = Settings(size=32, batch=8, threads=2, seconds=0.001, rounds=2)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    images = [jpeg(picture(i)) if i % 3 else png(picture(i)) for i in range(12)]
    return made_rows(tmp_path_factory.mktemp("made"), images)


def test_every_contender_is_measured_or_says_why_not(rows: Rows) -> None:
    report = measure(rows, QUICK)
    there = {result.name for result in report.results} | set(report.skipped)
    assert there == {"raw_read", "bare_decode", "cpu", "dali_cpu", "dali_gpu"}
    assert all(0 < result.low <= result.images_per_s <= result.high for result in report.results)
    assert {result.name: result.ratio for result in report.results}["bare_decode"] == 1


def test_contenders_take_turns_and_progress_tells_how_many_are_left(rows: Rows) -> None:
    heard: list[tuple[str, int, int]] = []
    report = measure(rows, QUICK, on_round=lambda *news: heard.append(news))
    names = [result.name for result in report.results]
    assert [name for name, _, _ in heard] == names * 2
    assert [(done, total) for _, done, total in heard] == [(i, len(heard)) for i in range(1, len(heard) + 1)]


def test_a_store_smaller_than_a_batch_can_be_measured(tmp_path: Path) -> None:
    report = measure(made_rows(tmp_path, [jpeg(picture(i)) for i in range(3)]), QUICK)
    assert report.num_images % 8 == 0


def test_a_damaged_store_is_not_measured_and_the_error_names_it(tmp_path: Path) -> None:
    rows = made_rows(tmp_path, [jpeg(picture(i)) for i in range(3)])
    damage(rows, 1, "byte")
    with pytest.raises(StoreError, match=r"store cannot be measured.*dfx info"):
        measure(rows, QUICK)


def test_a_report_is_json_with_stable_keys(rows: Rows) -> None:
    payload = json.loads(json.dumps(measure(rows, QUICK).to_json(), allow_nan=False))
    keys = {"settings", "stores", "num_images", "mean_bytes", "results", "skipped", "machine"}
    assert set(payload) == keys
    figures = {"images_per_s", "low", "high", "ratio", "cpu_us", "first_batch_s"}
    assert set(payload["results"][0]) == {"name", "what"} | figures


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"rounds": 0}, {"seconds": 0.0}, {"augment": "crops"}])
def test_settings_that_cannot_be_measured_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DfxError, match=next(iter(wrong)).replace("augment", "augmentation")):
        Settings(**wrong)
