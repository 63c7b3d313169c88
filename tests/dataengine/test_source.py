"""A dataset's folder, listed once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import LayoutError
from dataengine.source import IMAGE_SUFFIXES, VIDEO_SUFFIXES, SourceTree, list_source
from tests.dataengine import s3


def tree(*paths: str) -> SourceTree:
    return SourceTree(Path("root"), dict.fromkeys(paths, 1))


def put(root: Path, *paths: str) -> SourceTree:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"12345")
    return list_source(root)


def test_every_file_is_listed_with_its_size_and_hidden_ones_are_not(tmp_path: Path) -> None:
    listed = put(tmp_path, "a.mp4", "b/c/d.jpg", ".hidden/e.mp4", "b/.f.jpg")
    assert listed.sizes == {"a.mp4": 5, "b/c/d.jpg": 5}


STORE = ("dataset.json", "index.parquet", "clips.parquet", "shards.parquet", "train-000000.tar")


def test_stores_in_it_are_no_part_of_a_dataset(tmp_path: Path) -> None:
    finished, begun = (f"shards/{name}" for name in STORE), ("b/.parts/plan.json", "b/train-000000.tar", "b/c/x.tar")
    listed = put(tmp_path, "a.mp4", "begun/x.tar", "dataset.json", *finished, *begun)
    assert sorted(listed.sizes) == ["a.mp4", "begun/x.tar", "dataset.json"]


def test_stores_in_it_are_no_part_of_a_dataset_behind_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    finished, begun = (f"shards/{name}" for name in STORE), ("b/.parts/plan.json", "b/train-000000.tar", "b/c/x.tar")
    with s3.served() as bucket:
        for path in ("a.mp4", "begun/x.tar", "dataset.json", ".parts/plan.json", *finished, *begun):
            bucket.put(f"set/{path}", b"12345")
        listed = list_source(bucket.url("set"))
    assert sorted(listed.sizes) == ["a.mp4", "begun/x.tar", "dataset.json"]


def test_folders_are_those_that_hold_a_file_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    listed = put(tmp_path, "b/c/d.jpg", "a/x.jpg")
    assert listed.folders() == ["a", "b"]
    assert listed.folders("b") == ["b/c"]
    assert listed.is_dir("b/c")
    assert not listed.is_dir("empty")
    assert listed.is_dir("b")
    assert listed.folders("nowhere") == []


def test_files_are_in_the_order_people_count_and_of_the_suffixes_asked_for() -> None:
    listed = tree("a/10.mp4", "a/9.MP4", "a/1.jpg", "a/b/2.mp4")
    assert listed.files("a", VIDEO_SUFFIXES) == ["a/9.MP4", "a/10.mp4"]
    assert listed.below("a", VIDEO_SUFFIXES) == ["a/9.MP4", "a/10.mp4", "a/b/2.mp4"]
    assert listed.files("a", IMAGE_SUFFIXES) == ["a/1.jpg"]


names = st.text("ab1", min_size=1, max_size=3)


@given(st.sets(st.lists(names, min_size=1, max_size=4).map(lambda parts: "/".join(parts) + ".mp4")))
def test_walking_the_folders_meets_every_file_once(paths: set[str]) -> None:
    assert sorted(tree(*paths).below("", VIDEO_SUFFIXES)) == sorted(paths)


def test_a_link_to_a_folder_outside_is_followed_and_one_back_into_the_tree_refused(tmp_path: Path) -> None:
    outside = tmp_path / "disk2"
    put(outside, "a.mp4")
    root = tmp_path / "root"
    root.mkdir()
    (root / "part").symlink_to(outside)
    assert list_source(root).sizes == {"part/a.mp4": 5}
    (root / "again").symlink_to(outside)
    with pytest.raises(LayoutError, match="its clips count twice"):
        list_source(root)


def test_text_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfpath")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfepath")
    listed = list_source(tmp_path)
    assert listed.read_text("a.csv") == "path"
    with pytest.raises(LayoutError, match=r"b\.csv is no text file"):
        listed.read_text("b.csv")
    with pytest.raises(LayoutError, match=r"c\.csv is missing"):
        listed.read_text("c.csv")


@given(st.lists(st.integers(0, 10**30).map(str)))
def test_numbers_are_ordered_by_their_value_however_long(numbers: list[str]) -> None:
    tree = SourceTree(Path("/nowhere"), {f"{number}.png": 1 for number in [*numbers, "9" * 5000]})
    ordered = [path.removesuffix(".png") for path in tree.files("", IMAGE_SUFFIXES)]
    assert ordered == [*map(str, sorted({*map(int, numbers)})), "9" * 5000]


def test_folders_nested_absurdly_deep_are_refused(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*"a" * 101)
    folder.mkdir(parents=True)
    (folder / "x.png").touch()
    with pytest.raises(LayoutError, match="more than 100 folders deep; move it out"):
        list_source(tmp_path)
    (folder / "x.png").rename(folder.parent / "x.png")
    assert len(list_source(tmp_path).below("", IMAGE_SUFFIXES)) == 1
