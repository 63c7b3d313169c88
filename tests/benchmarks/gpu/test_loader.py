"""The loader's races on a GPU, small and on the CPU."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dataengine.errors import DfxError
from dataengine.selection import Rows
from dataengine.throughput import Contender, Settings
from dataengine.throughput.race import Race
from tests.dataengine.made import jpeg, made_rows, picture

if sys.platform != "linux":
    pytest.skip("DALI is for Linux", allow_module_level=True)

from benchmarks.gpu.bounds import bounds, feed
from benchmarks.gpu.loader import Choice, Study, best_of, factors, neighbours, run
from benchmarks.gpu.record import Record

SETTINGS = Settings(size=32, batch=4, threads=1, seconds=1e-6, rounds=1)
BASE = Choice(threads=1)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return made_rows(tmp_path_factory.mktemp("made"), [jpeg(picture(i)) for i in range(8)])


@pytest.mark.parametrize("name", ["decode", "decode_in_place", "from_memory", "feed"])
def test_a_bound_goes_through_every_batch_in_each_round(name: str, rows: Rows, tmp_path: Path) -> None:
    (one,) = (one for one in (*bounds("cpu"), feed()) if one.name == name)
    with closing(one.enter(Race(rows, SETTINGS, tmp_path))) as entry:
        entry.open()
        for _ in range(2):
            assert [tuple(batch.shape) for batch in entry.batches()] == [(4, 32, 32, 3)] * 2


def test_a_race_keeps_rates_and_ratios_and_says_who_could_not_take_part(rows: Rows) -> None:
    record = Record("loader", "cpu", {})
    study = Study(record, rows, SETTINGS, BASE)
    other = replace(BASE, prefetch=1)
    absent = Contender(name="absent", what="", enter=lambda race: (_ for _ in ()).throw(DfxError("not installed")))
    results = study.race("try", [absent, *map(study.loader, [BASE, other])])
    assert {row["name"] for row in record.rows} == {"raw_read", "bare_decode", "base", "prefetch=1"}
    kept = {row["name"]: row for row in record.rows}
    assert kept["base"]["to_base"] == 1
    expected = results["prefetch=1"].images_per_s / results["base"].images_per_s
    assert kept["prefetch=1"]["to_base"] == pytest.approx(expected)
    assert [(row["name"], row["why"]) for row in record.not_measured] == [("absent", "not installed")]


def test_once_the_time_is_up_every_race_is_named_and_nothing_is_claimed(rows: Rows) -> None:
    record = Record("loader", "cpu", {}, limit_s=-1)
    found = run(*(Study(record, rows, SETTINGS, BASE, chroma) for chroma in ("444", "420")))
    assert {row["race"] for row in record.not_measured} >= {"beside", "feed", *factors(BASE), "best", "sizes", "chroma"}
    assert not record.rows
    assert {value for name, value in found.items() if name != "best"} == {None}


def test_the_best_takes_what_gains_and_leaves_noise_and_other_pixels() -> None:
    base = Choice(threads=16)
    whole, rough, fewer = (replace(base, **one) for one in ({"regions": False}, {"fancy": False}, {"threads": 8}))
    gains = {"decoding": {whole: 1.3, rough: 1.5}, "threads": {fewer: 1.01}}
    assert best_of(base, gains) == whole
    assert best_of(base, {"decoding": {}}) == base


def test_neighbours_take_back_one_change_or_move_the_engines_share_by_one() -> None:
    base = Choice(threads=16)
    best = replace(base, threads=8, engine_share=1.0)
    assert neighbours(best, base) == [
        replace(best, threads=16),
        replace(best, engine_share=0.65),
        replace(best, engine_share=0.9),
    ]
