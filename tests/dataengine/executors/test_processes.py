"""Processes of this machine that die, and those that are told to stop."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from dataengine import layouts, splits
from dataengine.convert import ClipDone, convert
from dataengine.errors import StoreError
from dataengine.executors import HERE, Processes
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings, Plan, make_plan
from dataengine.settings import ExtractSettings
from dataengine.shard import Job
from dataengine.whole import PARTS

SETTINGS = ConvertSettings(extract=ExtractSettings(faces="none"), shard_samples=24)
VICTIM = "Deepfakes/003__004"


class Deadly(type(Path())):  # type: ignore[misc]
    """A folder that kills the process which reads from one of its folders; once, where it may leave a note."""

    def __truediv__(self, name: str) -> Path:
        note = os.environ.get("DEADLY_NOTE")
        if str(name).startswith(VICTIM) and not (note and os.path.exists(note)):
            if note:
                Path(note).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Path(self, name)


def planned(tree: Path) -> Plan:
    return make_plan(splits.derive(layouts.scan("folder", tree, ScanOptions()).clips, 0), SETTINGS)


def write(tree: Path, out: Path, executor: Processes | type(HERE)) -> list[str]:  # type: ignore[valid-type]
    """The clips that were told of."""
    (out / PARTS).mkdir(parents=True)
    told: list[str] = []
    executor.run(planned(Path(str(tree))).shards, Job(tree, out, SETTINGS), lambda clip, _: told.append(clip.clip))
    return told


def tars(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("*.tar")}


def test_a_process_that_dies_costs_no_shard_and_tells_no_clip_twice(
    image_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "died"
    monkeypatch.setenv("DEADLY_NOTE", str(note))
    told = write(Deadly(image_tree), tmp_path / "deadly", Processes(2))
    assert note.exists()
    assert sorted(told) == sorted(write(image_tree, tmp_path / "calm", HERE))
    assert tars(tmp_path / "deadly") == tars(tmp_path / "calm")


def test_a_clip_that_kills_its_process_each_time_ends_the_run_and_is_named(image_tree: Path, tmp_path: Path) -> None:
    with pytest.raises(
        StoreError,
        match=rf"3 worker processes in turn died of train-0000.*at work on {VICTIM}/000\.jpg \(killed, as .* memory",
    ) as caught:
        write(Deadly(image_tree), tmp_path / "out", Processes(1))
    assert "\n" not in str(caught.value)
    assert not multiprocessing.active_children()


def test_an_error_of_any_class_arrives_with_its_traceback(image_tree: Path, tmp_path: Path) -> None:
    strange = ConvertSettings(extract=ExtractSettings(detector="tests.dataengine.faces.own_detector:Strange"))
    with pytest.raises(RuntimeError, match="_StrangeError: no licence today") as caught:
        convert("folder", image_tree, tmp_path / "out", strange, ScanOptions(), executor=Processes(1))
    assert "in __getattribute__" in caught.value.__notes__[0]


def test_no_process_and_no_temporary_file_is_left_where_the_run_is_stopped(image_tree: Path, tmp_path: Path) -> None:
    def stop(done: ClipDone) -> None:
        raise StoreError("enough")

    with pytest.raises(StoreError, match="enough"):
        convert("folder", image_tree, tmp_path / "out", SETTINGS, ScanOptions(), executor=Processes(2), on_clip=stop)
    assert not multiprocessing.active_children()
    assert not list((tmp_path / "out" / PARTS).glob("tmp-*"))
