"""Operations on stores behind a URL, on a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dataengine.errors import StoreError
from dataengine.operations.repair import repair
from dataengine.operations.reshard import reshard
from dataengine.operations.verify import verify
from dataengine.store import Store, open_store, open_unchecked
from tests.dataengine import s3
from tests.dataengine.operations.harm import contents


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.Remote]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setenv("DFX_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("DFX_CACHE_LIMIT", "100MB")
        with s3.served() as served:
            yield served


@pytest.fixture(scope="module")
def url(bucket: s3.Remote, failing_store: Store) -> str:
    return bucket.upload(Path(str(failing_store.root)), "stores/failing")


def test_a_rewriting_of_a_remote_store_gives_the_bytes_of_the_local_one(
    url: str, failing_store: Store, tmp_path: Path
) -> None:
    reshard(open_store(url), tmp_path / "far", 10)
    reshard(failing_store, tmp_path / "near", 10)
    assert contents(tmp_path / "far").keys() == contents(tmp_path / "near").keys()
    for name, data in contents(tmp_path / "near").items():
        told = data.replace(str(failing_store.root).encode(), url.encode())  # dataset.json says where each lay
        assert contents(tmp_path / "far")[name] == told


def test_decoding_a_remote_store_finds_it_whole(url: str, failing_store: Store) -> None:
    verified = verify(open_unchecked(url), "decode")
    assert (verified.findings, verified.images) == ((), failing_store.index().num_rows)


def test_a_quick_look_reads_no_remote_tar_and_says_so(bucket: s3.Remote, url: str) -> None:
    bucket.proxy.forget()
    verified = verify(open_unchecked(url), "quick")
    assert verified.findings == ()
    assert "were not read: remotely that takes all of their bytes" in verified.notes[0]
    assert not [name for name in bucket.proxy.reads if name.endswith(".tar")]


def test_a_quick_look_compares_the_remote_dali_index_with_the_index(bucket: s3.Remote, failing_store: Store) -> None:
    url = bucket.upload(Path(str(failing_store.root)), "stores/harmed")
    idx = (Path(str(failing_store.root)) / "train-000000.idx").read_text().splitlines(keepends=True)
    bucket.put("stores/harmed/train-000000.idx", "".join([f"v1.2 {len(idx) - 2}\n", *idx[2:]]).encode())
    bucket.delete("stores/harmed/test-000000.idx")
    found = [(finding.file, finding.reason) for finding in verify(open_unchecked(url), "quick").findings]
    assert ("test-000000.idx", "is missing") in found
    assert any(file == "train-000000.idx" and reason.startswith("lacks 1 images") for file, reason in found)


def test_a_remote_store_is_not_repaired_in_place(url: str) -> None:
    with pytest.raises(StoreError, match="is remote; repair a copy here and upload it again"):
        repair(url)
