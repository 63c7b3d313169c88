"""Lists that a user gives, wherever they lie."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine.errors import LayoutError
from dataengine.layouts import listed, scan
from dataengine.layouts.listed import folder_of, name_of, read_listing
from dataengine.layouts.scan import ScanOptions
from tests.dataengine import s3


def test_a_list_gives_a_dataset_its_name_and_its_folder() -> None:
    assert (name_of("data/my.list.csv"), folder_of("data/my.list.csv")) == ("my.list", "data")
    assert folder_of("list.csv") == "."
    url = "s3://bucket/sets/list.csv?region=x"
    assert (name_of(url), folder_of(url)) == ("list", "s3://bucket/sets?region=x")


def test_columns_come_in_the_order_asked_for_with_empty_text_for_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes("\ufeffB\t Path \tz\nx, y\t a.png\t\n\n".encode())
    with read_listing(str(tmp_path / "a.tsv"), ("path", "b", "c"), "path") as listing:
        assert (listing.unknown, listing.unit) == (("z",), "line")
        assert list(listing.rows) == [(2, ("a.png", "x, y", ""))]


def test_a_list_with_semicolons_says_what_separates_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("path;label\na.png;0\n")
    with (
        pytest.raises(LayoutError, match=r"one column \(path;label\).* by commas, not semicolons"),
        read_listing(str(tmp_path / "a.csv"), ("path", "label"), "path"),
    ):
        pass


def test_only_the_thread_that_asks_reads_a_parquet_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [f"column{i}" for i in range(8)]
    names = pa.array([f"{i:x}.png" for i in range(20_000)])
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table(dict.fromkeys(columns, names)), path, row_group_size=1_000)
    readers = set()

    class Noticing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            readers.add(threading.get_ident())
            return super().read(size)

    @contextmanager
    def opened(_: object) -> Iterator[Noticing]:
        yield Noticing(path.read_bytes())

    monkeypatch.setattr(listed, "_opened", opened)
    with read_listing(str(path), columns, "column0") as listing:
        assert sum(1 for _ in listing.rows) == 20_000
    assert readers == {threading.get_ident()}


def test_a_list_and_its_files_may_lie_behind_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.png").write_bytes(b"123")
    (lists / "list.csv").write_text("path,label\ns3://bucket/set/a/1.png,fake\n")
    (lists / "train.txt").write_text("a/1.png\t1\n")
    (lists / "classes.txt").write_text("real\nProGAN\n")
    for name, value in s3.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with s3.served() as bucket:
        bucket.upload(tmp_path / "a", "set/a")
        root = bucket.upload(lists, "set")
        base, _, query = root.partition("?")
        (clip,) = scan("manifest", root, ScanOptions(listing=f"{base}/list.csv?{query}")).clips
        assert (clip.clip, clip.paths, clip.source_bytes) == ("list/a/1", ("a/1.png",), 3)
        (clip,) = scan("images", root, ScanOptions(listing=f"{base}/train.txt?{query}")).clips
        assert (clip.method, clip.paths) == ("ProGAN", ("a/1.png",))
