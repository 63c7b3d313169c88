"""The measurement's own promises; what it measures belongs to the machine."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dataengine.errors import DfxError, StoreError
from dataengine.selection import Rows
from dataengine.throughput import CONTENDERS, OWN, Contender, Settings, measure
from dataengine.throughput.race import Race
from tests.dataengine.made import damage, jpeg, made_rows, picture, png

QUICK = Settings(size=32, batch=8, threads=2, seconds=0.001, rounds=2)
IMAGES = 64  # in a quick round: 2 workers, 4 tars each, a batch in each tar
CPU = tuple(one for one in OWN if one.name == "cpu")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    images = [jpeg(picture(i)) if i % 3 else png(picture(i)) for i in range(12)]
    return made_rows(tmp_path_factory.mktemp("made"), images)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the copies go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


class Stub:
    """A contender that hands out `count` batches of `images`."""

    def __init__(self, race: Race, images: torch.Tensor, count: int) -> None:
        self._images, self._count = images, count
        (race.folder / "copy").write_bytes(b"converted")

    def open(self) -> None:
        pass

    def batches(self) -> Iterator[torch.Tensor]:
        for _ in range(self._count):
            yield self._images

    def close(self) -> None:
        pass


def stub(images: torch.Tensor, count: int = IMAGES // 8) -> Contender:
    return Contender(name="stub", what="a stub", enter=lambda race: Stub(race, images, count))


def test_every_contender_is_measured_or_says_why_not(rows: Rows) -> None:
    report = measure(rows, QUICK)
    there = {result.name for result in report.results} | set(report.skipped)
    assert there == {"raw_read", "bare_decode", "cpu", "dali_cpu", "dali_gpu"}
    assert all(0 < result.low <= result.images_per_s <= result.high for result in report.results)
    assert {result.name: result.ratio for result in report.results}["bare_decode"] == 1
    assert {result.name: result.ours for result in report.results}["cpu"] == 1


def test_contenders_take_turns_and_progress_tells_how_many_are_left(rows: Rows) -> None:
    ready: list[str] = []
    heard: list[tuple[str, int, int]] = []
    report = measure(rows, QUICK, contenders=CPU, on_ready=ready.append, on_round=lambda *news: heard.append(news))
    names = [result.name for result in report.results]
    assert ready == ["dfx, cpu"]
    assert [name for name, _, _ in heard] == names * 2
    assert [(done, total) for _, done, total in heard] == [(i, len(heard)) for i in range(1, len(heard) + 1)]


def test_a_store_smaller_than_a_batch_can_be_measured(tmp_path: Path) -> None:
    report = measure(made_rows(tmp_path, [jpeg(picture(i)) for i in range(3)]), QUICK, contenders=CPU)
    assert report.num_images % IMAGES == 0
    assert not report.skipped


def test_a_damaged_store_is_not_measured_and_the_error_names_it(tmp_path: Path) -> None:
    rows = made_rows(tmp_path, [jpeg(picture(i)) for i in range(3)])
    damage(rows, 1, "byte")
    with pytest.raises(StoreError, match=r"store cannot be measured.*dfx verify"):
        measure(rows, QUICK)


def test_a_report_is_json_with_stable_keys(rows: Rows) -> None:
    payload = json.loads(json.dumps(measure(rows, QUICK, contenders=CPU).to_json(), allow_nan=False))
    keys = {"settings", "stores", "num_images", "mean_bytes", "results", "skipped", "machine"}
    assert set(payload) == keys
    figures = {"images_per_s", "low", "high", "rates", "ratio", "ours", "cpu_us", "first_batch_s"}
    assert set(payload["results"][0]) == {"name", "what"} | figures


def test_names_are_unique() -> None:
    assert len({one.name for one in CONTENDERS}) == len(CONTENDERS)


def test_a_contender_that_hands_out_too_little_is_not_measured(rows: Rows) -> None:
    report = measure(rows, QUICK, contenders=(stub(torch.zeros(8, 3, 32, 32, dtype=torch.uint8), 3),))
    assert report.skipped == {"stub": f"it handed out 24 images a round instead of {report.num_images}"}


@pytest.mark.parametrize(
    "images", [torch.zeros(8, 3, 32, 32), torch.zeros(8, 3, 31, 32, dtype=torch.uint8), torch.zeros(0)]
)
def test_a_contender_whose_batches_are_others_is_not_measured(rows: Rows, images: torch.Tensor) -> None:
    report = measure(rows, QUICK, contenders=(stub(images),))
    assert "not uint8 (8, 3, 32, 32)" in report.skipped["stub"]


def test_a_contender_that_breaks_is_named_and_the_others_go_on(rows: Rows) -> None:
    class Breaks(Stub):
        rounds = 0

        def batches(self) -> Iterator[torch.Tensor]:
            self.rounds += 1
            if self.rounds == 3:
                raise RuntimeError("\nout of luck\nat line 7")
            return super().batches()

    images = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
    settings = Settings(size=32, batch=8, threads=2, seconds=1e-6, rounds=3)
    breaks = Contender(name="breaks", what="", enter=lambda race: Breaks(race, images, race.num_images // 8))
    absent = Contender(name="absent", what="", enter=lambda race: (_ for _ in ()).throw(DfxError("not installed")))
    report = measure(rows, settings, contenders=(absent, breaks, *CPU))
    assert report.skipped == {"absent": "not installed", "breaks": "it failed: RuntimeError: out of luck"}
    assert [result.name for result in report.results] == ["raw_read", "bare_decode", "cpu"]


def test_what_contenders_copied_is_removed_even_on_an_interrupt(rows: Rows, temporary: Path) -> None:
    def interrupt(name: str, done: int, total: int) -> None:
        assert list(temporary.glob("*/copy"))
        raise KeyboardInterrupt

    images = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
    with pytest.raises(KeyboardInterrupt):
        measure(rows, QUICK, contenders=(stub(images),), on_round=interrupt)
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"rounds": 0}, {"seconds": 0.0}, {"seconds": math.inf}])
def test_settings_that_cannot_be_measured_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DfxError, match=next(iter(wrong))):
        Settings(**wrong)


@pytest.mark.parametrize(("name", "said"), [("crops", "unknown augmentation"), ("supcon", "of a single view")])
def test_an_augmentation_that_cannot_be_measured_is_refused(name: str, said: str) -> None:
    with pytest.raises(DfxError, match=said):
        Settings(augment=name)
