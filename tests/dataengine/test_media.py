"""A clip's files: in an archive that is never unpacked, and parts of a video."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from dataengine.errors import MediaError
from dataengine.extract import extract
from dataengine.media import images
from dataengine.records import Clip
from dataengine.sample.encode import encode
from dataengine.settings import ExtractSettings
from tests.dataengine.made import jpeg, picture

UNTOUCHED = ExtractSettings(faces="none", frames=4)
CLIP = Clip(
    clip="x/a",
    paths=("a/1.jpg", "a/2.jpg", "a/10.jpg"),
    media="images",
    dataset="x",
    split="",
    raw_method="m",
    method="m",
    category="",
    quality="",
    target_id="x/a",
    source_id="",
    archive="1.tar.gz",
)
FILES = {f"a/{n}.jpg": jpeg(picture(n, 300, 300)) for n in (10, 2, 1)}


def pack(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> None:
    with tarfile.open(path, mode) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(("name", "mode"), [("1.tar.gz", "w:gz"), ("1.tar", "w")])
def test_images_in_an_archive_are_samples_in_frame_order_with_their_bytes(tmp_path: Path, name: str, mode: str) -> None:
    pack(tmp_path / name, {"b/1.jpg": b"other", **FILES}, mode)
    samples, report = extract(replace(CLIP, archive=name), tmp_path, UNTOUCHED)
    assert report.status == "ok"
    assert [sample.frame for sample in samples] == [0, 1, 2]
    assert [sample.data for sample in samples] == [FILES[path] for path in CLIP.paths]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("archive", ["", "1.tar.gz"])
def test_of_more_images_than_frames_so_many_are_read_evenly_spread_and_no_others(archive: str, tmp_path: Path) -> None:
    paths = tuple(f"a/{n}.jpg" for n in range(20))
    files = {path: jpeg(picture(n, 300, 300)) for n, path in enumerate(paths)}
    files["a/0.jpg"] = files["a/19.jpg"] = b"damaged"
    (tmp_path / "a").mkdir()
    for path, data in files.items():
        (tmp_path / path).write_bytes(data)
    pack(tmp_path / "1.tar.gz", files)
    samples, report = extract(replace(CLIP, paths=paths, archive=archive), tmp_path, UNTOUCHED)
    assert [sample.frame for sample in samples] == [2, 7, 12, 17]
    assert [sample.data for sample in samples] == [files[paths[frame]] for frame in (2, 7, 12, 17)]
    assert (report.status, report.reason, report.frames_asked, report.frames_found) == ("ok", "", 4, 4)


def test_a_member_that_is_missing_or_damaged_costs_itself_alone(tmp_path: Path) -> None:
    pack(tmp_path / "1.tar.gz", {"a/1.jpg": FILES["a/1.jpg"], "a/2.jpg": b"\xff\xd8\xffno"})
    found = dict(images(tmp_path, CLIP, range(3)))
    assert not isinstance(found[0], MediaError)
    assert "damaged" in str(found[1])
    assert "not in the archive any more" in str(found[2])


def test_an_archive_that_is_cut_off_gives_what_it_has(tmp_path: Path) -> None:
    pack(tmp_path / "1.tar.gz", FILES)
    data = (tmp_path / "1.tar.gz").read_bytes()
    (tmp_path / "1.tar.gz").write_bytes(data[: len(data) * 2 // 3])
    found = [image for _, image in images(tmp_path, CLIP, range(3))]
    assert 1 <= sum(isinstance(image, MediaError) for image in found) <= 2
    (tmp_path / "1.tar.gz").write_bytes(b"no archive at all")
    assert ["damaged archive" in str(image) for _, image in images(tmp_path, CLIP, range(3))] == [True] * 3


def test_a_clip_of_a_part_of_a_video_holds_frames_of_that_part_alone(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(encode((picture(n, 64, 48) for n in range(40)), (64, 48), crf=23, fps=25))
    part = replace(CLIP, paths=("v.mp4",), media="video", archive="", ranges=((3, 5), (20, 30)))
    samples, report = extract(part, tmp_path, replace(UNTOUCHED, frames=6))
    assert [sample.frame for sample in samples] == [4, 21, 23, 25, 27, 29]
    assert report.frames_asked == 6
    assert (report.status, report.reason) == ("ok", "")
    longer = replace(part, ranges=((3, 5), (36, 90)))
    samples, report = extract(longer, tmp_path, replace(UNTOUCHED, frames=6))
    assert [sample.frame for sample in samples] == [3, 4, 36, 37, 38, 39]
    assert (report.status, report.reason) == ("ok", "its frames end at 40, and are listed up to 90")
    beyond = replace(part, ranges=((100, 120),))
    samples, report = extract(beyond, tmp_path, UNTOUCHED)
    assert not samples
    assert report.reason == "its 40 frames end before those listed begin; replace the file"
