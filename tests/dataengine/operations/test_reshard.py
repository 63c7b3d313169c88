"""The same samples in other shards."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.operations.reshard import reshard
from dataengine.operations.verify import verify
from dataengine.store import Store

SAME = ("key", "xxh3", "clip", "split", "frame", "width", "box_x0", "target_id")


def samples(store: Store) -> list[dict[str, object]]:
    return sorted(store.index().select(SAME).to_pylist(), key=lambda row: str(row["key"]))


@settings(max_examples=4)
@given(first=st.integers(3, 60), second=st.integers(3, 60))
def test_the_fingerprint_stays_whatever_the_shards(failing_store: Store, first: int, second: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        once = reshard(failing_store, Path(folder) / "once", first).store
        twice = reshard(once, Path(folder) / "twice", second).store
        assert once.fingerprint == twice.fingerprint == failing_store.fingerprint
        assert samples(twice) == samples(failing_store)
        assert verify(twice).findings == ()


def test_failed_clips_are_kept_and_those_with_samples_name_their_new_tar(failing_store: Store, tmp_path: Path) -> None:
    store = reshard(failing_store, tmp_path / "small", 4).store
    shard_of = {row["clip"]: row["shard"] for row in store.index().to_pylist()}
    now = store.clips().to_pylist()
    assert [row["shard"] for row in now] == [shard_of.get(row["clip"], "") for row in now]
    assert sum(row["status"] == "failed" for row in now) == 1
    then = failing_store.clips().sort_by("clip").to_pylist()
    assert [{**row, "shard": ""} for row in now] == [{**row, "shard": ""} for row in then]


def test_what_is_known_of_the_samples_is_kept_and_the_operation_recorded(failing_store: Store, tmp_path: Path) -> None:
    meta = reshard(failing_store, tmp_path / "small", 4).store.meta
    for name in ("layout", "options", "split_origin", "taxonomy", "notes", "leaks", "shared_identities", "clips"):
        assert meta[name] == failing_store.meta[name]
    assert meta["settings"] == {**failing_store.meta["settings"], "shard_samples": 4}
    stores = [{"name": failing_store.name, "path": str(failing_store.root), "fingerprint": failing_store.fingerprint}]
    assert meta["made_by"] == {"operation": "reshard", "shard_samples": 4, "stores": stores}


def test_a_finished_one_is_recognised(failing_store: Store, tmp_path: Path) -> None:
    first = reshard(failing_store, tmp_path / "small", 10)
    again = reshard(failing_store, tmp_path / "small", 10)
    assert (again.written, again.kept) == (0, first.written)
    assert not (tmp_path / "small" / ".parts").exists()
