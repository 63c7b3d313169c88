"""Bytes of rows."""

from __future__ import annotations

from pathlib import Path

import pytest
import xxhash

from dataengine.errors import MediaError, StoreError
from dataengine.fetch import Shards
from dataengine.selection import Rows
from tests.dataengine.made import damage, jpeg, made_rows, picture


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    return made_rows(tmp_path, [jpeg(picture(i)) for i in range(20)])


def test_every_row_gives_the_bytes_of_its_image(rows: Rows, tmp_path: Path) -> None:
    shards = Shards(rows)
    hashes = {xxhash.xxh3_64_intdigest(path.read_bytes()) for path in tmp_path.glob("tree/train/*/*.jpg")}
    assert {xxhash.xxh3_64_intdigest(shards.read(row)) for row in range(len(rows))} == hashes


def test_bytes_are_read_only_and_outlive_the_shards(rows: Rows) -> None:
    shards = Shards(rows)
    data = shards.read(0)
    copy = bytes(data)
    shards.close()
    assert data.readonly
    assert bytes(data) == copy


@pytest.mark.parametrize("kind", ["zeros", "byte", "truncate"])
def test_bytes_that_are_not_those_of_the_index_are_refused(rows: Rows, kind: str) -> None:
    last = len(rows) - 1
    damage(rows, last, kind)
    shards = Shards(rows)
    shards.read(0)
    with pytest.raises(MediaError, match="xxh3 differs" if kind != "truncate" else "tar ends before"):
        shards.read(last)


def test_a_tar_that_is_gone_is_bad_media_and_not_a_crash(rows: Rows) -> None:
    rows.shard_files[0].unlink()
    with pytest.raises(MediaError, match="cannot be read"):
        Shards(rows).read(0)


def test_a_closed_reader_says_so(rows: Rows) -> None:
    shards = Shards(rows)
    shards.close()
    with pytest.raises(StoreError, match="the shards are closed"):
        shards.read(0)


def test_any_number_of_tars_can_be_read_with_few_of_them_open(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataengine.fetch._MAX_OPEN", 1)
    shards = Shards(rows)
    order = [0, len(rows) - 1, 0, len(rows) - 1]
    held = [shards.read(row) for row in order]
    assert bytes(held[0]) == bytes(held[2])
    assert bytes(held[1]) == bytes(held[3])
