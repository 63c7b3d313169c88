"""Conversions from and to URLs, on a real S3 server with faults put in."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataengine import lease, remote
from dataengine.convert import ClipDone, Converted, convert
from dataengine.errors import StoreError
from dataengine.executors import HERE, Executor, Processes
from dataengine.layouts.scan import ScanOptions
from dataengine.operations.verify import verify
from dataengine.place import place_of
from dataengine.plan import ConvertSettings
from dataengine.remote import Patience
from dataengine.settings import ExtractSettings
from tests.conftest import write_image_tree
from tests.dataengine import s3

SETTINGS = ConvertSettings(extract=ExtractSettings(faces="none"), shard_samples=18)
SHARD = "train-000001.tar"


@pytest.fixture(scope="module")
def bucket() -> Iterator[s3.Remote]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.ENVIRONMENT.items():
            patch.setenv(name, value)
        with s3.served() as served:
            yield served


@pytest.fixture(autouse=True)
def calm(bucket: s3.Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little patience, an empty cache, a folder of temporary files to look into, no faults."""
    bucket.proxy.forget()
    monkeypatch.setattr(remote, "PATIENCE", Patience(tries=3, first_wait_s=0.01, most_wait_s=0.02, stall_s=1))
    monkeypatch.setenv("DFX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))  # for worker processes, too
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "scratch").mkdir()


@pytest.fixture(scope="module")
def expected(image_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the store, converted into a folder here."""
    out = tmp_path_factory.mktemp("expected") / "store"
    run(image_tree, str(out))
    return promised({path.name: path.read_bytes() for path in out.iterdir()})


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A folder of the bucket for this test alone."""
    return f"own/{request.node.name}"


def run(tree: str | Path, out: str, executor: Executor = HERE, **more: object) -> Converted:
    return convert("folder", tree, out, SETTINGS, ScanOptions(name="mini"), executor=executor, **more)  # type: ignore[arg-type]


def promised(files: dict[str, bytes]) -> dict[str, bytes]:
    """Those whose bytes are promised: clips.parquet holds decode times."""
    return {name: data for name, data in files.items() if name not in ("clips.parquet", "dataset.json")}


@pytest.mark.parametrize("executor", [HERE, Processes(2)])
def test_a_store_behind_a_url_has_the_bytes_of_one_here(
    bucket: s3.Remote, image_tree: Path, tmp_path: Path, name: str, expected: dict[str, bytes], executor: Executor
) -> None:
    made = run(image_tree, bucket.url(name), executor)
    files = bucket.contents(name)
    assert promised(files) == expected
    assert set(files) - set(expected) == {"clips.parquet", "dataset.json"}  # and no .parts
    assert verify(made.store).findings == ()
    assert not list((tmp_path / "scratch").iterdir())
    assert run(image_tree, bucket.url(name)).written == 0


@pytest.mark.parametrize("fault", ["cut", "slow down", "stall", "wrong", "unanswered"])
def test_a_fault_of_an_upload_that_passes_is_not_seen(
    bucket: s3.Remote, image_tree: Path, name: str, expected: dict[str, bytes], fault: str
) -> None:
    for file in (SHARD, f"{SHARD}.done.json", "dataset.json")[: 1 if fault == "stall" else 3]:
        bucket.proxy.write_faults[file].append(fault)
    run(image_tree, bucket.url(name))
    assert promised(bucket.contents(name)) == expected
    assert not any(bucket.proxy.write_faults.values())


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("cut", rf"{SHARD}\?.*cannot be written, tried 3 times \(.*check the network"),
        ("slow down", r"cannot be written, tried 3 times \(.*(SLOW_DOWN|SERVICE_UNAVAILABLE)"),
        ("wrong", r"cannot be written, tried 3 times \([\d,]+ of [\d,]+ bytes arrived\)"),
        ("denied", rf"{SHARD}\?.*may not be written .*credentials"),
    ],
)
def test_a_fault_of_an_upload_that_stays_is_one_line_and_costs_its_shard_alone(
    bucket: s3.Remote, image_tree: Path, name: str, expected: dict[str, bytes], fault: str, message: str
) -> None:
    bucket.proxy.write_faults[SHARD].extend([fault] * 100)
    with pytest.raises(StoreError, match=message) as caught:
        run(image_tree, bucket.url(name))
    assert "\n" not in str(caught.value)
    bucket.proxy.forget()
    made = run(image_tree, bucket.url(name))
    assert (made.kept, bucket.proxy.writes["train-000000.tar"]) == (1, 0)
    assert promised(bucket.contents(name)) == expected


def test_what_is_denied_is_not_tried_again(bucket: s3.Remote, image_tree: Path, name: str) -> None:
    bucket.proxy.write_faults["train-000000.tar"].extend(["denied"] * 100)
    with pytest.raises(StoreError, match="may not be written"):
        run(image_tree, bucket.url(name))
    assert bucket.proxy.writes["train-000000.tar"] <= 2  # the stream's own last try as it is closed


def test_a_part_that_was_published_is_overwritten(
    bucket: s3.Remote, image_tree: Path, name: str, expected: dict[str, bytes]
) -> None:
    bucket.put(f"{name}/.parts/plan.json", b"{}")
    with pytest.raises(StoreError, match="holds another store"):
        run(image_tree, bucket.url(name))
    bucket.delete(f"{name}/.parts/plan.json")
    bucket.put(f"{name}/.parts/{SHARD}.index.parquet", b"PAR1")
    bucket.put(f"{name}/{SHARD}", expected[SHARD][:1000])
    run(image_tree, bucket.url(name))
    assert promised(bucket.contents(name)) == expected


def test_a_dataset_behind_a_url_is_converted_too(bucket: s3.Remote, tmp_path: Path, name: str) -> None:
    write_image_tree(tmp_path / "tree", clips=4, frames=1)
    for path in (tmp_path / "tree").rglob("*.jpg"):
        bucket.put(f"{name}/tree/{path.relative_to(tmp_path / 'tree').as_posix()}", path.read_bytes())
    here = run(tmp_path / "tree", str(tmp_path / "store")).store
    there = run(bucket.url(f"{name}/tree"), bucket.url(f"{name}/store")).store
    assert there.fingerprint == here.fingerprint
    assert there.layout_digest == here.layout_digest


def test_a_run_that_is_killed_is_taken_up_by_the_same_command(
    bucket: s3.Remote, image_tree: Path, tmp_path: Path, name: str, expected: dict[str, bytes]
) -> None:
    program = f"""
import os, signal
from tests.dataengine import test_remote_convert as here
def on_clip(done):
    if done.clip.split == "val":
        os.kill(os.getpid(), signal.SIGKILL)
here.run({str(image_tree)!r}, {bucket.url(name)!r}, on_clip=on_clip)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    left = bucket.contents(name)
    assert "dataset.json" not in left
    assert any(file.startswith(".parts/lease-") for file in left)
    made = run(image_tree, bucket.url(name))  # at once: the process that held the lease is seen to have ended
    assert made.kept > 0
    assert promised(bucket.contents(name)) == expected
    assert not list((tmp_path / "scratch").iterdir())


def test_a_second_run_on_the_same_url_is_refused(bucket: s3.Remote, image_tree: Path, name: str) -> None:
    refused = []

    def on_clip(done: ClipDone) -> None:
        if not refused:
            with pytest.raises(StoreError, match=r"another run is writing .*last heard of .* s ago") as caught:
                run(image_tree, bucket.url(name))
            refused.append(caught)

    run(image_tree, bucket.url(name), on_clip=on_clip)
    assert refused


def test_a_run_that_is_refused_takes_nothing_from_the_one_that_mends_a_finished_store(
    bucket: s3.Remote, image_tree: Path, name: str, expected: dict[str, bytes]
) -> None:
    run(image_tree, bucket.url(name))
    tars = [file for file in bucket.contents(name) if file.endswith(".tar")]
    for tar in tars:
        bucket.delete(f"{name}/{tar}")
    refused = []

    def on_shard(_: object) -> None:
        if not refused:
            with pytest.raises(StoreError, match="another run is writing") as caught:
                run(image_tree, bucket.url(name))
            refused.append(caught)

    assert run(image_tree, bucket.url(name), on_shard=on_shard).written == len(tars)
    assert refused
    assert promised(bucket.contents(name)) == expected


def test_the_lease_of_another_machine_counts_until_it_is_stale(
    bucket: s3.Remote, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, other = place_of(bucket.url(name)), f"{name}/.parts/lease-0.json"
    bucket.put(other, json.dumps({"host": "elsewhere", "pid": 1}).encode())
    with pytest.raises(StoreError, match="process 1 on elsewhere"), lease.alone(out):
        pass
    assert list(bucket.contents(name)) == [".parts/lease-0.json"]
    monkeypatch.setattr(lease, "STALE_S", -1.0)
    with lease.alone(out):
        (held,) = bucket.contents(name)
        assert held != ".parts/lease-0.json"


def test_a_run_that_cannot_keep_its_lease_stops(bucket: s3.Remote, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with lease.alone(place_of(bucket.url(name))) as check:
        check()
        monkeypatch.setattr(lease.time, "monotonic", lambda: float("inf"))
        with pytest.raises(StoreError, match="could not be reached for 180 s"):
            check()
