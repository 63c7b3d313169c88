"""Making a miniature dataset: the same bytes from any run, whole files only, nothing that gives the label away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest

from dataengine.errors import DfxError, LayoutError
from dataengine.layouts import scan
from dataengine.layouts.scan import ScanOptions
from dataengine.miniature import MARKER
from dataengine.sample import MINIATURES, generate

TINY: dict[str, Any] = {"clips": 2, "frames": 3, "size": (160, 120), "workers": 0}


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of ff++ and their fakes, DFD with them; do not write to it."""
    root = tmp_path_factory.mktemp("sample") / "ff++"
    generate("ff++", root, dfd=True, **TINY)
    return root


def facts(path: Path) -> dict[str, Any]:
    """All that a file tells without its pixels: container, codec, and the settings x264 leaves in the stream."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        data = bytes(packets[0])
        start = data.index(b"x264 - core")
        return {
            "container": (container.format.name, container.metadata, len(container.streams), container.duration),
            "stream": (stream.metadata, stream.frames, stream.average_rate, stream.time_base, stream.start_time),
            "times": [(packet.pts, packet.duration) for packet in sorted(packets, key=lambda packet: packet.pts)],
            "codec": (stream.codec_context.name, stream.codec_context.profile, stream.codec_context.pix_fmt),
            "size": (stream.width, stream.height),
            "headers": bytes(stream.codec_context.extradata or b""),
            "encoder": data[start : data.index(b"\x00", start)],
        }


def has_videos_of_both(name: str) -> bool:
    videos = [item for item in MINIATURES[name].plan(2, 3, 0, "c23", False).items if item.form == "video"]
    return len({item.source is None for item in videos}) == 2


@pytest.mark.parametrize("name", sorted(filter(has_videos_of_both, MINIATURES)))
def test_nothing_but_the_pixels_tells_a_fake_from_a_real(name: str, tmp_path: Path) -> None:
    generate(name, tmp_path, **TINY)
    videos = [facts(path) for path in sorted(tmp_path.rglob("*.mp4"))]
    assert len(videos) >= 4
    assert [video for video in videos if video != videos[0]] == []


def test_the_files_are_the_same_from_any_number_of_workers(tiny: Path, tmp_path: Path) -> None:
    generate("ff++", tmp_path, dfd=True, **{**TINY, "workers": 2})
    assert contents(tmp_path) == contents(tiny)


def test_another_seed_gives_other_faces(tiny: Path, tmp_path: Path) -> None:
    generate("ff++", tmp_path, dfd=True, seed=1, **TINY)
    here, there = contents(tiny), contents(tmp_path)
    assert [name for name in here if name.endswith(".mp4") and here[name] == there.get(name)] == []


def test_an_unfinished_sample_is_completed_without_redoing_what_is_there(tiny: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate("ff++", tmp_path, dfd=True, on_progress=stop, **TINY)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.mp4")}
    assert len(times) == 3
    assert not (tmp_path / "splits").exists()

    report = generate("ff++", tmp_path, dfd=True, **TINY)
    assert (report.kept, report.written) == (3, len(list(tiny.rglob("*.mp4"))) - 3)
    assert times == {path: path.stat().st_mtime_ns for path in times}
    assert contents(tmp_path) == contents(tiny)


KILLED = """
import sys
from dataengine.sample import generate
told = lambda done, total: print(done, flush=True)
generate("ff++", sys.argv[1], dfd=True, clips=2, frames=3, size=(160, 120), workers=2, on_progress=told)
"""


def test_a_killed_run_is_taken_up_and_leaves_no_part_behind(tiny: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"1\n"
        run.kill()
        assert run.stdout.read() is not None  # ends once the workers, who share the pipe, are gone too
    report = generate("ff++", tmp_path, dfd=True, **TINY)
    assert report.kept >= 1
    assert contents(tmp_path) == contents(tiny)


def test_a_finished_sample_is_left_alone(tmp_path: Path) -> None:
    generate("celeb-df", tmp_path, **TINY)
    report = generate("celeb-df", tmp_path, **TINY)
    assert (report.written, report.kept, report.real) == (0, 4, 2)


def test_progress_counts_every_video_and_names_the_total(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    generate("celeb-df", tmp_path, on_progress=lambda done, total: calls.append((done, total)), **TINY)
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "ff+"}, "unknown miniature dataset 'ff\\+'; did you mean ff\\+\\+"),
        ({"size": (161, 120)}, "take 162x120"),
        ({"size": (64, 48)}, "160x120 or more"),
        ({"clips": 1}, "2 or more"),
        ({"clips": 3}, "--clips 4"),
        ({"frames": 0}, "1 or more"),
        ({"quality": "c24"}, "unknown quality 'c24'; did you mean c40 or c23"),
        ({"name": "folder", "dfd": True}, "leave --dfd out"),
    ],
)
def test_a_setting_that_cannot_be_had_is_refused_before_anything_is_written(
    change: dict[str, Any], says: str, tmp_path: Path
) -> None:
    settings = {"name": "ff++", **TINY, **change}
    with pytest.raises(DfxError, match=says):
        generate(settings.pop("name"), tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_a_root_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(DfxError, match=r"holds other files \(thesis.tex\)"):
        generate("ff++", tmp_path, **TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_miniature_that_was_interrupted_is_not_read_until_it_is_finished(tmp_path: Path) -> None:
    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate("celeb-df", tmp_path, on_progress=interrupted, **TINY)
    with pytest.raises(LayoutError, match="is an unfinished miniature; run `dfx sample celeb-df --root"):
        scan("celeb-df", tmp_path, ScanOptions())
    generate("celeb-df", tmp_path, **TINY)
    assert scan("celeb-df", tmp_path, ScanOptions()).clips


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DfxError, match="is a file"):
        generate("ff++", tmp_path / "file", **TINY)


@pytest.mark.parametrize(("name", "seed", "says"), [("ff++", 1, "seed 0, not 1"), ("folder", 0, "name ff\\+\\+, not")])
def test_a_root_with_another_miniature_dataset_is_refused(
    name: str, seed: int, says: str, tiny: Path, tmp_path: Path
) -> None:
    (tmp_path / MARKER).write_bytes((tiny / MARKER).read_bytes())
    with pytest.raises(DfxError, match=says):
        generate(name, tmp_path, seed=seed, dfd=name == "ff++", **TINY)


def test_a_disk_that_cannot_be_written_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("")
    with pytest.raises(DfxError, match=r"cannot write .*choose another --root"):
        generate("ff++", tmp_path / "blocked" / "ff++", **TINY)
