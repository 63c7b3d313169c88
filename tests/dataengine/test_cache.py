"""Local copies of remote files: bounded, shared, checked, and fit for use after a kill."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import remote
from dataengine.cache import Cache, Content, parse_bytes, readable, user_cache
from dataengine.errors import StoreError
from dataengine.remote import Patience, RemotePath
from tests.dataengine import s3

SIZES = (700, 1000, 1300, 1600, 1900, 2200)
BIG = 40_000


def data_of(number: int, size: int) -> bytes:
    return hashlib.shake_128(bytes([number])).digest(size)


def content_of(data: bytes) -> Content:
    return Content(len(data), hashlib.sha256(data).hexdigest())


@pytest.fixture(scope="module")
def bucket() -> Iterator[s3.Remote]:
    """It holds `small-0` ... of SIZES bytes, and `big`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.ENVIRONMENT.items():
            patch.setenv(name, value)
        with s3.served() as served:
            for number, size in enumerate(SIZES):
                served.put(f"f/small-{number}", data_of(number, size))
            served.put("f/big", data_of(99, BIG))
            yield served


@pytest.fixture(autouse=True)
def calm(bucket: s3.Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.proxy.forget()
    monkeypatch.setattr(remote, "PATIENCE", Patience(tries=2, first_wait_s=0.01, stall_s=30))
    monkeypatch.setattr(remote, "_CHUNK_BYTES", 8192)


def opened(cache: Cache, bucket: s3.Remote, name: str, data: bytes) -> bytes:
    """What the cache gives for a file of the bucket."""
    with os.fdopen(cache.open(RemotePath.of(bucket.url("f")) / name, content_of(data)), "rb") as stream:
        return stream.read()


def copies(cache: Cache) -> set[str]:
    return {path.name for path in cache.folder.iterdir() if path.name != "locks"}


def test_a_copy_holds_the_bytes_and_is_downloaded_once(bucket: s3.Remote, tmp_path: Path) -> None:
    cache, data = Cache(tmp_path, 10**6), data_of(99, BIG)
    assert opened(cache, bucket, "big", data) == opened(cache, bucket, "big", data) == data
    assert bucket.proxy.read_bytes["big"] == BIG
    assert copies(cache) == {content_of(data).sha256}


def test_files_of_the_same_content_share_a_copy(bucket: s3.Remote, tmp_path: Path) -> None:
    bucket.put("f/again", data_of(99, BIG))
    cache = Cache(tmp_path, 10**6)
    assert opened(cache, bucket, "big", data_of(99, BIG)) == opened(cache, bucket, "again", data_of(99, BIG))
    assert bucket.proxy.reads["again"] == 0


@settings(max_examples=15)
@given(limit=st.integers(max(SIZES), sum(SIZES)), wanted=st.lists(st.integers(0, len(SIZES) - 1), max_size=12))
def test_the_limit_holds_and_what_was_opened_last_stays(
    bucket: s3.Remote, tmp_path_factory: pytest.TempPathFactory, limit: int, wanted: list[int]
) -> None:
    cache = Cache(tmp_path_factory.mktemp("cache"), limit)
    for number in wanted:
        data = data_of(number, SIZES[number])
        assert opened(cache, bucket, f"small-{number}", data) == data
        assert cache.used_bytes() <= limit
    expected: list[int] = []
    for number in wanted:  # the plain model: the least recently opened leave until the new one fits
        if number in expected:
            expected.remove(number)
        while sum(SIZES[held] for held in expected) + SIZES[number] > limit:
            expected.pop(0)
        expected.append(number)
    assert (copies(cache) if wanted else set()) == {content_of(data_of(n, SIZES[n])).sha256 for n in expected}


def test_a_copy_that_is_evicted_can_be_read_to_its_end(bucket: s3.Remote, tmp_path: Path) -> None:
    cache = Cache(tmp_path, 2500)
    first = cache.open(RemotePath.of(bucket.url("f")) / "small-1", content_of(data_of(1, 1000)))
    opened(cache, bucket, "small-5", data_of(5, 2200))
    assert copies(cache) == {content_of(data_of(5, 2200)).sha256}
    assert os.pread(first, 5000, 0) == data_of(1, 1000)
    os.close(first)


def test_a_file_larger_than_the_cache_is_refused(bucket: s3.Remote, tmp_path: Path) -> None:
    with pytest.raises(
        StoreError, match=r"big\?.* has 40KB, more than the cache in .* may hold .*raise DFX_CACHE_LIMIT"
    ):
        opened(Cache(tmp_path, BIG - 1), bucket, "big", data_of(99, BIG))


def test_a_copy_that_was_cut_is_downloaded_anew(bucket: s3.Remote, tmp_path: Path) -> None:
    cache, data = Cache(tmp_path, 10**6), data_of(99, BIG)
    opened(cache, bucket, "big", data)
    os.truncate(tmp_path / content_of(data).sha256, 100)
    assert opened(cache, bucket, "big", data) == data


def test_other_bytes_leave_nothing_behind(bucket: s3.Remote, tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10**6)
    for data, found in ((data_of(98, BIG), "other"), (data_of(99, BIG - 1), "more"), (data_of(99, BIG + 1), "fewer")):
        with pytest.raises(StoreError, match=f"holds {found} bytes than"):
            opened(cache, bucket, "big", data)
        assert copies(cache) == set()


def test_threads_share_one_download(bucket: s3.Remote, tmp_path: Path) -> None:
    cache, data = Cache(tmp_path, 10**6), data_of(99, BIG)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: opened(cache, bucket, "big", data), range(16))) == {data}
    assert bucket.proxy.read_bytes["big"] == BIG


def test_downloads_at_once_keep_to_the_limit(bucket: s3.Remote, tmp_path: Path) -> None:
    cache = Cache(tmp_path, 4000)

    def open_one(number: int) -> bool:
        fits = cache.used_bytes() <= 4000
        return opened(cache, bucket, f"small-{number}", data_of(number, SIZES[number])) == data_of(
            number, SIZES[number]
        ) and (fits and cache.used_bytes() <= 4000)

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(open_one, [*range(6)] * 3))


def _read_big(url: str, folder: str, chunk: int) -> None:
    remote._CHUNK_BYTES = chunk
    with os.fdopen(Cache(Path(folder), 10**6).open(RemotePath.of(url) / "big", content_of(data_of(99, BIG)))) as stream:
        os._exit(0 if os.fstat(stream.fileno()).st_size == BIG else 1)


def _reader(bucket: s3.Remote, folder: Path) -> multiprocessing.process.BaseProcess:
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=_read_big, args=(bucket.url("f"), str(folder), 8192))
    process.start()
    return process


def test_processes_share_one_download(bucket: s3.Remote, tmp_path: Path) -> None:
    bucket.proxy.faults["big"].append("hold")
    processes = [_reader(bucket, tmp_path) for _ in range(4)]
    assert bucket.proxy.holding.wait(120)
    bucket.proxy.release.set()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 4
    assert bucket.proxy.read_bytes["big"] == BIG


def test_a_download_that_was_killed_is_taken_up_where_it_stood(bucket: s3.Remote, tmp_path: Path) -> None:
    bucket.proxy.faults["big"].extend(["ok", "ok", "ok", "hold"])
    process = _reader(bucket, tmp_path)
    assert bucket.proxy.holding.wait(120)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join(120)
    (left,) = copies(Cache(tmp_path, 10**6))
    assert left.endswith(f".{BIG}.part")
    bucket.proxy.read_bytes.clear()
    assert opened(Cache(tmp_path, 10**6), bucket, "big", data_of(99, BIG)) == data_of(99, BIG)
    assert bucket.proxy.read_bytes["big"] <= BIG - 8192  # the stream's buffer may not have held all of them yet


def test_what_a_killed_download_left_makes_room(bucket: s3.Remote, tmp_path: Path) -> None:
    (tmp_path / f"{'0' * 64}.3000.part").write_bytes(b"left")
    cache = Cache(tmp_path, 4000)
    assert cache.used_bytes() == 3000
    opened(cache, bucket, "small-5", data_of(5, 2200))
    assert copies(cache) == {content_of(data_of(5, 2200)).sha256}


def test_a_part_with_other_bytes_is_downloaded_anew(bucket: s3.Remote, tmp_path: Path) -> None:
    data = data_of(99, BIG)
    (tmp_path / f"{content_of(data).sha256}.{BIG}.part").write_bytes(b"other bytes")
    assert opened(Cache(tmp_path, 10**6), bucket, "big", data) == data


def test_a_folder_that_cannot_be_written_is_named(bucket: s3.Remote, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"the cache in .*file.* cannot be written .*set DFX_CACHE to another folder"):
        opened(Cache(tmp_path / "file" / "cache", 10**6), bucket, "big", data_of(99, BIG))


def test_waiting_for_another_reader_can_be_stopped(bucket: s3.Remote, tmp_path: Path) -> None:
    bucket.proxy.faults["big"].append("hold")
    cache, data, stop = Cache(tmp_path, 10**6), data_of(99, BIG), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(opened, cache, bucket, "big", data)
        assert bucket.proxy.holding.wait(60)
        second = pool.submit(cache.open, RemotePath.of(bucket.url("f")) / "big", content_of(data), stop=stop)
        stop.set()
        with pytest.raises(remote.StoppedError):
            second.result()
        bucket.proxy.release.set()
        assert first.result() == data


def test_the_environment_names_folder_and_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DFX_CACHE", str(tmp_path / "here"))
    monkeypatch.setenv("DFX_CACHE_LIMIT", "1.5GB")
    assert user_cache() == Cache(tmp_path / "here", 1_500_000_000)
    monkeypatch.delenv("DFX_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("DFX_CACHE_LIMIT")
    assert user_cache().folder == tmp_path / "dfx"
    assert user_cache().limit > 0
    monkeypatch.setenv("DFX_CACHE_LIMIT", "much")
    with pytest.raises(StoreError, match="DFX_CACHE_LIMIT is 'much', which is no size; write it like 50GB"):
        user_cache()


@given(num_bytes=st.integers(1000, 10**15))
def test_a_size_as_it_is_shown_is_enough_and_reads_back(num_bytes: int) -> None:
    assert num_bytes <= parse_bytes(readable(num_bytes)) <= num_bytes * 1.01
