"""WildDeepfake's archives."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from dataengine.convert import convert
from dataengine.errors import LayoutError, MediaError
from dataengine.layouts import scan
from dataengine.layouts.scan import Scan, ScanOptions
from dataengine.media import images
from dataengine.place import place_of
from dataengine.plan import ConvertSettings
from dataengine.sample.encode import tar
from dataengine.settings import ExtractSettings
from tests.dataengine import s3
from tests.dataengine.layouts.conftest import Miniature, touch
from tests.dataengine.made import jpeg, picture

IMAGE = jpeg(picture(1))
TOP = "deepfake_in_the_wild"


def pack(path: Path, *names: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tar((name, IMAGE) for name in names))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for label in ("real", "fake"):
        for split in ("train", "test"):
            folder = tmp_path / TOP / f"{label} {split}"
            pack(folder / "6.tar.gz", *(f"./6/{label}/{sequence}/{n}.png" for sequence in (54, 55) for n in (0, 10, 9)))
    return tmp_path


def scanned(root: Path) -> Scan:
    return scan("wilddeepfake", root, ScanOptions())


def test_each_folder_of_an_archive_is_a_clip_in_the_order_of_its_numbers(root: Path) -> None:
    clips = {clip.clip: clip for clip in scanned(root).clips}
    assert len(clips) == 8
    clip = clips["wilddeepfake/deepfake_in_the_wild/fake%20train/6/6/fake/54"]
    assert clip.archive == f"{TOP}/fake train/6.tar.gz"
    assert clip.paths == ("6/fake/54/0.png", "6/fake/54/9.png", "6/fake/54/10.png")
    assert (clip.label, clip.raw_method, clip.method, clip.category) == (1, "fake", "WildDeepfake", "unknown")


def test_test_is_official_and_train_is_left_to_derive_archive_by_archive(root: Path) -> None:
    clips = scanned(root).clips
    assert {(clip.target_id.rpartition("/")[2], clip.split) for clip in clips} == {
        ("real-train-6", ""),
        ("fake-train-6", ""),
        ("real-test-6", "test"),
        ("fake-test-6", "test"),
    }


def test_copies_with_underscores_and_without_the_outer_folder_are_read(root: Path) -> None:
    (root / TOP / "real train").rename(root / TOP / "real_train")
    assert len(scanned(root).clips) == 8
    assert len(scanned(root / TOP).clips) == 8


def test_two_spellings_of_one_part_are_an_error(root: Path) -> None:
    pack(root / TOP / "real_train/7.tar.gz", "7/real/1/0.png")
    with pytest.raises(LayoutError, match="one part under two names"):
        scanned(root)


def test_a_compressed_archive_is_read_like_the_released_plain_ones(root: Path) -> None:
    before = scanned(root)
    path = root / TOP / "fake test/6.tar.gz"
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert [(clip.clip, clip.paths) for clip in scanned(root).clips] == [
        (clip.clip, clip.paths) for clip in before.clips
    ]


def test_what_an_archive_hides_is_in_no_clip_and_said(root: Path) -> None:
    pack(root / TOP / "real test/7.tar.gz", "7/real/1/0.png", "../../x.png", "7/fake/2/0.png", "7/real/readme.txt")
    touch(root, f"{TOP}/real test/loose.png", "elsewhere/8.tar.gz")
    found = scanned(root)
    assert len(found.clips) == 9
    assert found.unexpected == (
        f"{TOP}/real test/7.tar.gz/../../x.png (it climbs out of the archive)",
        f"{TOP}/real test/7.tar.gz/7/fake/2/0.png (fake in an archive of real ones)",
        f"{TOP}/real test/7.tar.gz/7/real/readme.txt (no image)",
        f"{TOP}/real test/loose.png",
        "elsewhere/8.tar.gz",
    )


def test_a_damaged_archive_is_one_clip_that_fails_and_every_other_arrives(root: Path, tmp_path: Path) -> None:
    (root / TOP / "fake train/6.tar.gz").write_bytes(b"no archive")
    found = scanned(root)
    assert len(found.clips) == 7
    assert "damaged archive" in found.unexpected[0]
    settings = ConvertSettings(extract=ExtractSettings(faces="none"))
    store = convert("wilddeepfake", root, tmp_path / "out", settings, ScanOptions()).store
    rows = store.clips().to_pylist()
    failed = [row for row in rows if row["status"] == "failed"]
    assert [row["raw_method"] for row in failed] == ["fake"]
    assert "damaged archive" in failed[0]["reason"]
    assert sorted(row["samples"] for row in rows) == [0, 3, 3, 3, 3, 3, 3]


def test_the_miniature_converts_without_unpacking(miniature: Miniature, tmp_path: Path) -> None:
    root = miniature("wilddeepfake")
    before = sorted(root.rglob("*"))
    settings = ConvertSettings(extract=ExtractSettings(faces="none"))
    store = convert("wilddeepfake", root, tmp_path / "out", settings, ScanOptions()).store
    assert [row["samples"] for row in store.clips().to_pylist()] == [2] * 4
    assert sorted(root.rglob("*")) == before


def test_archives_behind_a_url_are_read_as_those_here(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    here = scanned(root)
    packed = root / TOP / "fake test/6.tar.gz"
    packed.write_bytes(gzip.compress(packed.read_bytes()))
    with s3.served() as bucket:
        for path in root.rglob("*.tar.gz"):
            bucket.put(f"wd/{path.relative_to(root).as_posix()}", path.read_bytes())
        there = scan("wilddeepfake", bucket.url("wd"), ScanOptions())
        assert [(clip.clip, clip.paths) for clip in there.clips] == [(clip.clip, clip.paths) for clip in here.clips]
        for clip in there.clips:
            found = [image for _, image in images(place_of(bucket.url("wd")), clip, range(3))]
            assert [image.data for image in found if not isinstance(image, MediaError)] == [IMAGE] * 3


def test_fakes_among_reals_are_told_in_any_case_and_an_archive_that_is_not_read_is_said(root: Path) -> None:
    pack(root / TOP / "real test/7.tar.gz", "7/real/1/0.png", "7/Fake/2/0.png")
    touch(root, f"{TOP}/real test/8.zip")
    assert scanned(root).unexpected == (
        f"{TOP}/real test/7.tar.gz/7/Fake/2/0.png (fake in an archive of real ones)",
        f"{TOP}/real test/8.zip",
    )
