"""The synthetic store is one, and what is measured on it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import large_store
from dataengine.overview import overview
from dataengine.selection import select
from dataengine.store import open_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return large_store.make(tmp_path_factory.mktemp("large") / "ff++", 5000)


def test_it_opens_and_holds_every_sample_once(store: Path) -> None:
    rows = select([str(store)])
    assert len(set(rows.strings("key"))) == len(rows) == 5000
    assert [file.name for file in rows.shard_files] == [f"train-{number:06d}.tar" for number in range(3)]
    assert sum(cell.samples for cell in overview(open_store(store)).cells) == 157 * 32


@pytest.mark.parametrize("name", large_store.PARTS)
def test_every_part_runs(store: Path, name: str) -> None:
    large_store.part(name, str(store))()


def test_what_a_process_took_is_measured() -> None:
    used = large_store.used()
    assert used["cpu_s"] > 0
    assert used["peak_mb"] > 10
