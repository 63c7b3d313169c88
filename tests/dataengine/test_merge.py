"""Records of shards, merged into tables."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine import merge
from dataengine.records import SHARDS_SCHEMA
from dataengine.whole import PARTS

ROWS = [{"shard": f"train-{n:06d}.tar", "samples": n, "bytes": n, "sha256": str(n)} for n in range(50)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("merged")
    (path / PARTS).mkdir()
    return path


@given(cuts=st.lists(st.integers(0, 50), max_size=8).map(sorted), group=st.integers(1, 60))
def test_a_tables_bytes_do_not_depend_on_how_its_rows_are_divided_among_shards(
    folder: Path, cuts: list[int], group: int
) -> None:
    def merged(bounds: list[int]) -> bytes:
        parts = (pa.Table.from_pylist(ROWS[a:b], schema=SHARDS_SCHEMA) for a, b in pairwise(bounds))
        merge._concatenate(folder / "table.parquet", parts, SHARDS_SCHEMA)
        return (folder / "table.parquet").read_bytes()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "GROUP_ROWS", group)
        assert merged([0, *cuts, 50]) == merged([0, 50])
        file = pq.ParquetFile(folder / "table.parquet")
        assert file.read().to_pylist() == ROWS
        assert {file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups - 1)} <= {group}
