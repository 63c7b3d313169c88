"""What is told of clips that are worked on for long."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dataengine.convert import Start, convert
from dataengine.executors import HERE, Executor, Processes, Slow, slow
from dataengine.executors.slow import FIRST_S, Watch
from dataengine.layouts.scan import ScanOptions
from tests.conftest import UNTOUCHED
from tests.dataengine.executors.test_attempts import shards
from tests.dataengine.test_convert import digests


def test_a_clip_is_told_of_after_a_minute_and_each_time_it_has_taken_twice_as_long() -> None:
    now, told = [0.0], list[Slow]()
    watch, (shard, other) = Watch(told.append, lambda: now[0]), shards(2)
    watch.begins(shard, "process 7")
    watch.begins(other, "process 8")
    watch.ends(other)
    for now[0] in range(0, int(5 * FIRST_S), 5):
        watch.look()
    assert [one.seconds for one in told] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert {(one.shard, one.clip, one.process) for one in told} == {(shard.shard, shard.clips[0], "process 7")}


def test_each_clip_has_its_own_time_and_so_has_the_writing_of_the_tar() -> None:
    now, told = [0.0], list[Slow]()
    watch, (shard,) = Watch(told.append, lambda: now[0]), shards(1)
    watch.begins(shard, "process 7")
    for _ in shard.clips:
        now[0] += FIRST_S - 1
        watch.look()
        watch.goes_on(shard)
    assert not told
    now[0] += FIRST_S
    watch.look()
    assert [(one.clip, one.seconds) for one in told] == [(None, FIRST_S)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("executor", [HERE, Processes(1)])
def test_a_clip_that_hangs_is_named_while_it_does_and_goes_on_where_it_can(
    image_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: Executor
) -> None:
    monkeypatch.setattr(slow, "FIRST_S", 0.0)
    monkeypatch.setattr(slow, "LOOK_S", 0.01)
    tree, name = Path(shutil.copytree(image_tree, tmp_path / image_tree.name)), "FaceSwap/003__004/001.jpg"
    told: list[Slow] = []

    def hang(_: Start) -> None:
        (tree / name).unlink()
        os.mkfifo(tree / name)  # whoever reads it waits for a writer

    def release(one: Slow) -> None:
        if not told and one.clip is not None and name in one.clip.paths:
            told.append(one)
            (tree / name).write_bytes((image_tree / name).read_bytes())

    convert(
        "folder", tree, tmp_path / "out", UNTOUCHED, ScanOptions(), executor=executor, on_start=hang, on_slow=release
    )
    (one,) = told
    assert one.process.startswith("process ")
    assert (one.process == f"process {os.getpid()}") == (executor is HERE)
    convert("folder", image_tree, tmp_path / "calm", UNTOUCHED, ScanOptions())
    assert digests(tmp_path / "out") == digests(tmp_path / "calm")
