"""Lists that a user gives, wherever they lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataengine.layouts import scan
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
