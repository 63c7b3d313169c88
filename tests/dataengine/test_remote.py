"""Stores behind a URL, on a real S3 server with faults put in."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from dataengine import ahead, remote
from dataengine.cache import user_cache
from dataengine.convert import convert
from dataengine.errors import DfxError, StoreError
from dataengine.fetch import Shards
from dataengine.layouts.scan import ScanOptions
from dataengine.loader import Loader
from dataengine.operations.verify import verify
from dataengine.order import parse_policy
from dataengine.place import place_of
from dataengine.plan import ConvertSettings
from dataengine.remote import Patience, RemotePath
from dataengine.selection import Rows, select
from dataengine.settings import ExtractSettings
from dataengine.store import Store, open_store, parse_ref
from tests.dataengine import s3

SHARD = "train-000000.tar"


@pytest.fixture(scope="module")
def bucket() -> Iterator[s3.Remote]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.ENVIRONMENT.items():
            patch.setenv(name, value)
        with s3.served() as served:
            yield served


@pytest.fixture(scope="module")
def store(image_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Of many small shards, here; do not write to it."""
    settings = ConvertSettings(extract=ExtractSettings(faces="none"), shard_samples=8)
    out = tmp_path_factory.mktemp("here") / "ff++"
    return convert("folder", image_tree, out, settings, ScanOptions()).store


@pytest.fixture(scope="module")
def url(bucket: s3.Remote, store: Store) -> str:
    """Of the same store, there; it stays whole."""
    return bucket.upload(store.root, "stores/ff++")


@pytest.fixture(autouse=True)
def calm(bucket: s3.Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little patience, an empty cache, no faults."""
    bucket.proxy.forget()
    monkeypatch.setattr(remote, "PATIENCE", Patience(tries=3, first_wait_s=0.01, most_wait_s=0.02, stall_s=1))
    monkeypatch.setenv("DFX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DFX_CACHE_LIMIT", "100MB")


@pytest.fixture
def own(bucket: s3.Remote, store: Store, request: pytest.FixtureRequest) -> str:
    """The name of a remote store that a test may harm."""
    name = f"own/{request.node.name}"
    bucket.upload(store.root, name)
    return name


def small_cache(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setenv("DFX_CACHE_LIMIT", str(limit))


def streamed(rows: Rows, policy: str) -> list[tuple[torch.Tensor, ...]]:
    labels = rows.codes("method")[0]
    chosen = {"batch": 8, "mode": "train", "size": 24, "threads": 2, "dtype": torch.uint8, "augment": "crop"}
    with Loader(rows, labels, policy=parse_policy(policy), **chosen) as loader:
        return [(batch.images, batch.labels, batch.rows) for _ in range(2) for batch in loader]


def test_a_url_stands_wherever_a_store_reference_does(url: str, store: Store) -> None:
    rows = select([f"{url}@method=real,FaceSwap@split=train"])
    assert rows.table.equals(select([f"{store.root}@method=real,FaceSwap@split=train"]).table)
    assert rows.identity() == select([f"{store.root}@method=real,FaceSwap@split=train"]).identity()
    assert rows.stores[0].name == "ff++"
    assert str(rows.stores[0].root.resolve()) == url


def test_a_file_url_is_a_path(store: Store) -> None:
    assert open_store(f"file://{store.root}").root == store.root


@pytest.mark.parametrize("policy", ["sequential", "shuffled", "blocked:window=2"])
def test_a_remote_store_gives_the_batches_of_the_local_one(url: str, store: Store, policy: str) -> None:
    here, there = (streamed(select([place], split="train"), policy) for place in (str(store.root), url))
    assert len(here) == len(there) > 0
    for ours, theirs in zip(here, there, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert torch.equal(one, other)


def test_a_blocked_order_goes_through_a_cache_smaller_than_the_store(
    url: str, bucket: s3.Remote, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = select([url])
    largest = max(content.bytes for content in rows.shard_contents)
    small_cache(monkeypatch, 4 * largest)
    assert 4 * largest < sum(content.bytes for content in rows.shard_contents)
    here, there = (streamed(select([place]), "blocked:window=2") for place in (str(store.root), url))
    assert all(torch.equal(ours[0], theirs[0]) for ours, theirs in zip(here, there, strict=True))
    assert max(bucket.proxy.reads[file.name] for file in rows.shard_files) <= 2  # epochs
    assert user_cache().used_bytes() <= user_cache().limit


def test_each_shard_is_downloaded_once_for_many_loaders(url: str, bucket: s3.Remote) -> None:
    rows = select([url])
    streamed(rows, "shuffled")
    streamed(rows, "shuffled")
    assert {name: bucket.proxy.reads[name] for name in bucket.proxy.reads if name.endswith(".tar")} == {
        file.name: 1 for file in rows.shard_files
    }


@pytest.mark.parametrize("fault", ["cut", "slow down", "wrong", "stall"])
def test_a_fault_that_passes_is_not_seen(url: str, bucket: s3.Remote, store: Store, fault: str) -> None:
    rows = select([url], split="train")
    bucket.proxy.faults[SHARD].extend([fault])
    first = int(np.flatnonzero(np.array(rows.strings("shard")) == SHARD)[0])
    assert Shards(rows).read(first) == Shards(select([str(store.root)], split="train")).read(first)
    assert bucket.proxy.reads[SHARD] == 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("cut", rf"{SHARD}\?.*cannot be read, tried 3 times \(.*partial file.*check the network"),
        ("slow down", r"cannot be read, tried 3 times \(.*(SLOW_DOWN|SERVICE_UNAVAILABLE)"),
        ("wrong", r"holds other bytes than the store's tables say .*upload it again"),
        ("gone", rf"{SHARD}\?.* is missing; upload it again"),
    ],
)
def test_a_fault_that_stays_ends_the_stream_with_one_line(
    url: str, bucket: s3.Remote, fault: str, message: str
) -> None:
    rows = select([url], split="train")
    bucket.proxy.faults[SHARD].extend([fault] * 1000)
    with pytest.raises(StoreError, match=message) as caught:
        streamed(rows, "shuffled")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("fault", "message"), [("gone", "is missing"), ("denied", "may not be read .*credentials")])
def test_what_cannot_get_better_is_not_tried_again(url: str, bucket: s3.Remote, fault: str, message: str) -> None:
    rows = select([url], split="train")
    bucket.proxy.faults[SHARD].extend([fault] * 1000)
    with pytest.raises(StoreError, match=message):
        Shards(rows).read(0)
    assert bucket.proxy.reads[SHARD] == 1


def test_a_download_goes_on_where_it_was_cut(url: str, bucket: s3.Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_CHUNK_BYTES", 4096)
    rows = select([url], split="train")
    bucket.proxy.read_bytes.clear()
    bucket.proxy.faults[SHARD].extend(["ok", "ok", "cut", "slow down", "ok", "cut"])
    Shards(rows).read(0)
    assert bucket.proxy.read_bytes[SHARD] == rows.shard_contents[0].bytes


def test_a_missing_tar_is_named_when_the_store_is_opened(bucket: s3.Remote, own: str) -> None:
    bucket.delete(f"{own}/{SHARD}")
    with pytest.raises(StoreError, match=rf"{SHARD}\?.* is missing; upload it again"):
        open_store(bucket.url(own))


def test_a_table_that_is_not_the_stores_own_is_refused(bucket: s3.Remote, own: str, store: Store) -> None:
    data = bytearray((store.root / "index.parquet").read_bytes())
    data[100] ^= 1
    bucket.put(f"{own}/index.parquet", bytes(data))
    with pytest.raises(StoreError, match=r"index\.parquet\?.* holds other bytes"):
        select([bucket.url(own)])


def test_verify_reads_what_lies_there_and_not_the_cache(bucket: s3.Remote, own: str, store: Store) -> None:
    opened = open_store(bucket.url(own))
    streamed(select([bucket.url(own)]), "sequential")
    assert verify(opened).damaged == ()
    data = bytearray((store.root / SHARD).read_bytes())
    data[5000] ^= 1
    bucket.put(f"{own}/{SHARD}", bytes(data))
    assert verify(opened).damaged == (SHARD,)


def test_dataset_json_is_read_anew_each_time(bucket: s3.Remote, own: str, store: Store) -> None:
    open_store(bucket.url(own))
    meta = {**store.meta, "notes": ["changed"]}
    bucket.put(f"{own}/dataset.json", json.dumps(meta).encode())
    assert open_store(bucket.url(own)).meta["notes"] == ["changed"]


def test_what_is_no_store_is_refused(bucket: s3.Remote, url: str) -> None:
    with pytest.raises(StoreError, match=r"no store at s3://bucket/nowhere\?.*; check the bucket and the path"):
        open_store(bucket.url("nowhere"))
    with pytest.raises(StoreError, match=r"s3://bucket/stores\?.* is no store"):
        open_store(bucket.url("stores"))
    with pytest.raises(DfxError, match="unknown option in an S3 URL 'regoin'; did you mean region"):
        open_store("s3://bucket/x?regoin=here")
    with pytest.raises(StoreError, match="web://x cannot be opened: stores are read from s3, gs, hdfs and file"):
        open_store("web://x/y")
    with pytest.raises(StoreError, match="hdfs://x cannot be opened"):
        open_store("hdfs://x/y")
    with pytest.raises(StoreError, match="names no folder"):
        open_store("s3://bucket")


def test_a_server_that_is_down_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        StoreError, match=r"tried 3 times \(AWS Error [^;]*(Could not|Couldn't) connect to server\); check the net"
    ):
        open_store("s3://bucket/x?endpoint_override=http://127.0.0.1:9&scheme=http")


@pytest.mark.parametrize(
    "text",
    [
        "s3://AKIA123:hunter2@bucket/x",
        "s3://AKIA123:hunter2@bucket/x@method=real",
        "s3://AKIA123:a@hunter2=/x",
        "s3://bucket/x?access_key=AKIA123&secret_key=hunter2",
        "abfs://container:hunter2@account/x",
        "gs://hunter2@bucket/x",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(text: str) -> None:
    for read in (parse_ref, open_store, select):
        with pytest.raises(StoreError, match="carries credentials") as caught:
            read([text] if read is select else text)
        assert "hunter2" not in str(caught.value)
        assert "AKIA" not in str(caught.value)


def test_two_spellings_of_a_url_are_one_place() -> None:
    one = place_of("s3://bucket/a%20b/?scheme=http&region=x")
    assert one == place_of("s3://bucket/a%20b?region=x&scheme=http")
    assert isinstance(one, RemotePath)
    assert (one.name, str(one / "t.tar")) == ("a b", "s3://bucket/a%20b/t.tar?region=x&scheme=http")


def test_an_order_that_the_cache_cannot_hold_is_refused_with_a_remedy(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = select([url])
    largest = max(content.bytes for content in rows.shard_contents)
    small_cache(monkeypatch, 3 * largest)
    shards = Shards(rows)
    shards.check_fits(1)
    shards.check_fits(2)
    with pytest.raises(StoreError, match=r"take --policy blocked:window=\d+, or raise DFX_CACHE_LIMIT to \d"):
        shards.check_fits(None)
    small_cache(monkeypatch, largest // 2)
    with pytest.raises(StoreError, match=r"may hold .*: raise DFX_CACHE_LIMIT to"):
        Shards(rows).check_fits(1)


def test_a_local_order_fits_any_cache(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    small_cache(monkeypatch, 1)
    Shards(select([str(store.root)])).check_fits(None)


def test_shards_are_there_before_they_are_read_and_only_so_many(
    url: str, bucket: s3.Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "MOST", 2)
    rows = select([url])
    starts = np.concatenate([[0], np.cumsum(rows.shard_sizes())])[:-1]
    shards = Shards(rows)
    shards.follow(iter([starts]))
    for number, row in enumerate(starts.tolist()):
        for thread in [thread for thread in threading.enumerate() if thread.name == "dfx-ahead"]:
            thread.join()
        there = sum(name.endswith(".tar") for name in bucket.proxy.reads)
        assert there == min(number + 2, len(starts))
        shards.read(row)
    shards.close()


def test_for_a_local_store_nothing_is_taken_from_the_order(store: Store) -> None:
    upcoming = iter([np.arange(3)])
    Shards(select([str(store.root)])).follow(upcoming)
    assert len(list(upcoming)) == 1


def test_what_the_order_raises_reaches_the_reader(url: str) -> None:
    def broken() -> Iterator[np.ndarray]:
        raise DfxError("the order is broken")
        yield np.zeros(1)

    shards = Shards(select([url]))
    shards.follow(broken())
    for thread in [thread for thread in threading.enumerate() if thread.name == "dfx-ahead"]:
        thread.join()
    with pytest.raises(DfxError, match="the order is broken"):
        shards.read(0)


def test_closing_ends_a_read_that_waits(url: str, bucket: s3.Remote) -> None:
    shards = Shards(select([url], split="train"))
    bucket.proxy.faults[SHARD].extend(["slow down"] * 2 + ["hold"])
    failed: list[str] = []

    def read() -> None:
        with contextlib.suppress(StoreError):
            shards.read(0)
            return
        failed.append("closed")

    reader = threading.Thread(target=read)
    reader.start()
    bucket.proxy.holding.wait()
    shards.close()
    bucket.proxy.release.set()
    reader.join()
    with pytest.raises(StoreError, match="closed"):
        shards.read(0)


def test_the_interpreter_exits_with_downloads_under_way(url: str, bucket: s3.Remote) -> None:
    for name in (SHARD, "train-000001.tar", "train-000002.tar"):
        bucket.proxy.faults[name].append("stall")
    program = f"""
import numpy as np
from dataengine import remote
remote.PATIENCE = remote.Patience(stall_s=1)
from dataengine.fetch import Shards
from dataengine.selection import select
rows = select([{url!r}], split="train")
shards = Shards(rows)
shards.follow(iter([np.arange(len(rows))]))
input()
print("left")
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert bucket.proxy.holding.wait(60)
        out, err = child.communicate(b"\n", timeout=60)
    assert (child.returncode, out, err) == (0, b"left\n", b"")


def test_a_local_tar_that_is_cut_while_it_is_open_is_bad_media(store: Store, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(store.root, tmp_path / "copy"))
    rows = select([str(copy)], split="train")
    shards = Shards(rows)
    shards.read(0)
    with (copy / SHARD).open("r+b") as tar:
        tar.truncate(100)
    with pytest.raises(DfxError, match="its tar ends before its last byte"):
        shards.read(1)
