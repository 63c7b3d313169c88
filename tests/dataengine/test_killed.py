"""Runs that are killed before any operation on a file: what lies there then, and what the same command makes of it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from dataengine.convert import convert
from dataengine.errors import StoreError
from dataengine.layouts.scan import ScanOptions
from dataengine.operations.repair import repair
from dataengine.operations.reshard import reshard
from dataengine.operations.verify import verify
from dataengine.store import open_store
from tests.conftest import UNTOUCHED, write_image_tree
from tests.dataengine.operations.harm import flip
from tests.dataengine.test_convert import digests

TAR, IDX = "train-000000.tar", "train-000000.idx"
OPERATIONS = ("mkdir", "replace", "rmdir", "unlink")


class KilledError(BaseException):
    """Caught by nobody; and from then on no file is touched, as where a process is gone."""


def kills(folder: Path, work: Callable[[], object], patch: pytest.MonkeyPatch) -> Iterator[None]:
    """`work` on `folder` as it is now, killed before its first operation on a file that counts, its second, ... until
    it is not. What lies under a temporary name counts only in that it stays behind."""
    before = shutil.copytree(folder, folder.with_name("before"))
    for number in count():
        shutil.rmtree(folder)
        shutil.copytree(before, folder)
        left = number
        with patch.context() as patched:
            for name in OPERATIONS:
                real = getattr(os, name)

                def operation(*given: Any, real: Callable[..., None] = real, **more: Any) -> None:
                    nonlocal left
                    left -= left >= 0 and not re.search("/tmp-[^/]*", str(given[-1])) and "dir_fd" not in more
                    if left < 0:
                        raise KilledError
                    real(*given, **more)

                patched.setattr(os, name, operation)
            try:
                work()
            except KilledError:
                pass
            else:
                assert number > 1
                return
        yield


def reads_as_finished(out: Path) -> bool:
    """Whether readers open it; what they open must be whole."""
    try:
        store = open_store(out)
    except StoreError:
        return False
    assert not verify(store).findings
    return True


@pytest.fixture(autouse=True)
def no_power_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes end here, machines go on."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for split in ("train", "test"):
        write_image_tree(tmp_path / "tree" / split, clips=2, frames=1)
    return tmp_path / "tree"


@pytest.fixture
def out(tree: Path, tmp_path: Path) -> Path:
    """A finished store of `tree`, two shards."""
    run(tree, tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.tar"))) == 2
    return tmp_path / "out"


def run(tree: Path, out: Path) -> None:
    convert("folder", tree, out, UNTOUCHED, ScanOptions())


def change(tree: Path) -> None:
    """As where a decoder gives other pixels: other bytes, as many."""
    for path in tree.rglob("*.jpg"):
        flip(path, 30)  # in a quantisation table


def test_a_conversion_is_finished_or_says_that_it_is_not_and_ends_in_the_same_bytes(
    out: Path, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, fresh = digests(out), tmp_path / "fresh"
    fresh.mkdir()
    for _ in kills(fresh, lambda: run(tree, fresh), monkeypatch):
        reads_as_finished(fresh)
        run(tree, fresh)
        assert reads_as_finished(fresh)
        assert digests(fresh) == expected


def test_an_unfinished_store_whose_clips_have_changed_holds_no_shard_of_the_old_ones_with_records_of_the_new(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def stop(_: object) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        convert("folder", tree, out, UNTOUCHED, ScanOptions(), on_shard=stop)
    for path in tree.rglob("*.jpg"):
        path.write_bytes(path.read_bytes() + b"!")
    for _ in kills(out, lambda: run(tree, out), monkeypatch):
        reads_as_finished(out)
        run(tree, out)
        assert reads_as_finished(out)


@pytest.mark.parametrize("missing", [(TAR,), (IDX,), (TAR, IDX), ("index.parquet", TAR)])
def test_mending_a_finished_store_leaves_it_whole_or_lacking_and_ends_in_the_same_bytes(
    out: Path, tree: Path, monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...]
) -> None:
    expected = digests(out)
    for name in missing:
        (out / name).unlink()
    for _ in kills(out, lambda: run(tree, out), monkeypatch):
        if IDX not in missing:  # which open_store does not look at
            reads_as_finished(out)
        run(tree, out)
        assert reads_as_finished(out)
        assert digests(out) == expected


@pytest.mark.parametrize("missing", [TAR, IDX])
def test_a_tar_that_would_be_another_by_now_never_takes_the_place_of_what_was(
    out: Path, tree: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    (out / missing).unlink()
    there = digests(out)
    change(tree)

    def refused() -> None:
        with pytest.raises(StoreError, match=f"has changed, and {TAR} would not be what it was"):
            run(tree, out)

    for _ in kills(out, refused, monkeypatch):
        assert digests(out) == there
    assert digests(out) == there


def test_a_repair_leaves_what_was_damaged_or_what_was_recorded_and_ends_in_the_latter(
    out: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = digests(out)
    for name, at in ((TAR, 5000), (IDX, 30), ("index.parquet", 30)):
        flip(out / name, at)
    for _ in kills(out, lambda: repair(out, tree), monkeypatch):
        assert verify(open_store(out)).findings or digests(out) == expected
        repair(out, tree)
        assert reads_as_finished(out)
        assert digests(out) == expected


def test_mending_a_store_made_of_stores_ends_in_the_same_bytes(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = tmp_path / "small"
    reshard(open_store(out), small, 3)
    expected = digests(small)
    (small / TAR).unlink()
    for _ in kills(small, lambda: reshard(open_store(out), small, 3), monkeypatch):
        reads_as_finished(small)
        reshard(open_store(out), small, 3)
        assert reads_as_finished(small)
        assert digests(small) == expected
