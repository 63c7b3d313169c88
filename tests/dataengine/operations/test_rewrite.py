"""How samples are divided into new shards, and what a killed rewriting leaves."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import StoreError
from dataengine.operations.reshard import reshard
from dataengine.operations.rewrite import pack
from dataengine.store import Store, open_store
from tests.dataengine.operations.harm import contents, flip

ROWS = st.lists(
    st.tuples(st.sampled_from(["train", "val", "test", "none"]), st.integers(0, 12)), min_size=1, max_size=60
)


def table(rows: list[tuple[str, int]]) -> pa.Table:
    return pa.table({"split": [split for split, _ in rows], "clip": [f"{split}/{clip}" for split, clip in rows]})


@given(rows=ROWS, shard_samples=st.integers(1, 70))
def test_each_row_goes_into_one_shard_of_its_split_and_a_clip_is_never_divided(
    rows: list[tuple[str, int]], shard_samples: int
) -> None:
    shards = pack(table(rows), shard_samples)
    assert sorted(np.concatenate([at for _, at in shards]).tolist()) == list(range(len(rows)))
    holder: dict[tuple[str, int], str] = {}
    for name, at in shards:
        assert {rows[i][0] for i in at} == {name.partition("-")[0]}
        assert {holder.setdefault(rows[i], name) for i in at} == {name}


@given(clips=st.integers(1, 40), frames=st.integers(1, 4), shard_samples=st.integers(1, 50))
def test_shards_are_about_as_large_as_they_are_asked_for(clips: int, frames: int, shard_samples: int) -> None:
    shards = pack(table([("train", clip) for clip in range(clips) for _ in range(frames)]), shard_samples)
    expected = max(1, round(clips * frames / shard_samples))
    assert len(shards) == min(clips, expected)
    sizes = [len(at) for _, at in shards]
    assert max(sizes) - min(sizes) <= frames


def test_a_split_that_no_store_has_is_refused_and_its_samples_are_not_lost_in_silence() -> None:
    with pytest.raises(StoreError, match="the split 'dev' is none of train, val, test, none"):
        pack(table([("dev", 0)]), 4)


KILLED = """
import os, signal, sys
from pathlib import Path
from dataengine.operations.reshard import reshard
from dataengine.store import open_store

for line in sys.stdin:
    name, left = line.split()
    if pid := os.fork():
        print(os.waitpid(pid, 0)[1], flush=True)
        continue
    left, real = int(left), getattr(os, name)

    def counted(*arguments):
        global left
        left -= 1
        return real(*arguments) if left else os.kill(os.getpid(), signal.SIGKILL)

    setattr(os, name, counted)
    reshard(open_store(sys.argv[1]), Path(sys.argv[2]), 12)
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, so that the imports are paid for once")
def test_a_rewriting_killed_time_and_again_is_no_store_until_it_is_whole_and_ends_in_the_same_bytes(
    failing_store: Store, tmp_path: Path
) -> None:
    whole = contents(Path(str(reshard(failing_store, tmp_path / "whole", 12).store.root)))
    out, kills = tmp_path / "killed", 0
    command = [sys.executable, "-c", KILLED, str(failing_store.root), str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        # Killed at the first, the ninth, ... file that is synced (so it is written) or renamed; four a shard.
        for name, left in 2 * list(itertools.product(("fsync", "replace"), (1, 9, 4, 12))):
            process.stdin.write(f"{name} {left}\n")
            process.stdin.flush()
            status = int(process.stdout.readline())
            if not status:
                break
            assert os.WTERMSIG(status) == signal.SIGKILL
            kills += 1
            with pytest.raises(StoreError, match="is not finished"):
                open_store(out)
        process.stdin.close()
    assert 5 <= kills < 16
    assert contents(out) == whole


def test_a_damaged_source_is_refused_and_nothing_of_it_is_passed_on(copy: Path, tmp_path: Path) -> None:
    flip(copy / "test-000000.tar")
    with pytest.raises(StoreError, match=r"test-000000\.tar is damaged \(its sha256 .*; run `dfx repair"):
        reshard(open_store(copy), tmp_path / "out", 4)
    with pytest.raises(StoreError, match="is not finished"):
        open_store(tmp_path / "out")


@pytest.mark.parametrize("there", ["another store", "files", "a file"])
def test_what_stands_in_the_way_is_never_overwritten(
    there: str, failing_store: Store, copy: Path, tmp_path: Path
) -> None:
    out = copy
    if there == "files":
        out = tmp_path / "files"
        out.mkdir()
        (out / "thesis.tex").write_text("years of work")
    elif there == "a file":
        out = copy / "index.parquet"
    before = contents(out) if out.is_dir() else {"": out.read_bytes()}
    with pytest.raises(StoreError, match=r"holds another store|is not empty and holds no store|is a file"):
        reshard(failing_store, out, 4)
    assert (contents(out) if out.is_dir() else {"": out.read_bytes()}) == before


def test_a_url_is_no_place_to_write_to(failing_store: Store) -> None:
    with pytest.raises(StoreError, match="is a URL; write into a folder of this machine"):
        reshard(failing_store, Path("s3://bucket/new"), 4)
