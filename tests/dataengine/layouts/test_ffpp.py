"""FaceForensics++'s tree. The files are empty: a layout reads names, never videos."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataengine.errors import LayoutError
from dataengine.layouts import scan
from dataengine.layouts.scan import ScanOptions
from dataengine.records import Clip

SPLITS = {"train": [["000", "003"], ["001", "870"]], "val": [["720", "672"]], "test": [["953", "974"]]}


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for pair in (pair for pairs in SPLITS.values() for pair in pairs):
        for a, b in (pair, pair[::-1]):
            touch(tmp_path, f"original_sequences/youtube/c23/videos/{a}.mp4")
            for method in ("Deepfakes", "NeuralTextures"):
                touch(tmp_path, f"manipulated_sequences/{method}/c23/videos/{a}_{b}.mp4")
    for split, pairs in SPLITS.items():
        touch(tmp_path, f"splits/{split}.json")
        (tmp_path / f"splits/{split}.json").write_text(json.dumps(pairs))
    return tmp_path


def by_path(root: Path, **options: object) -> dict[str, Clip]:
    return {clip.paths[0]: clip for clip in scan("ff++", root, ScanOptions(**options)).clips}  # type: ignore[arg-type]


def test_every_video_of_the_quality_is_a_clip_with_its_official_split(root: Path) -> None:
    clips = by_path(root)
    assert len(clips) == 8 + 2 * 8
    assert clips["original_sequences/youtube/c23/videos/720.mp4"].split == "val"
    fake = clips["manipulated_sequences/Deepfakes/c23/videos/974_953.mp4"]
    assert (fake.split, fake.label, fake.method, fake.category) == ("test", 1, "Deepfakes", "face swap")
    assert (fake.target_id, fake.source_id, fake.group) == ("ff++/974", "ff++/953", "ff++/974")


def test_a_fake_across_two_official_splits_gets_the_split_none(root: Path) -> None:
    touch(root, "manipulated_sequences/Deepfakes/c23/videos/000_720.mp4")
    assert by_path(root)["manipulated_sequences/Deepfakes/c23/videos/000_720.mp4"].split == "none"


@pytest.mark.parametrize("name", ["raw", "c0"])
def test_both_names_of_the_raw_folder_are_read(root: Path, name: str) -> None:
    touch(root, f"original_sequences/youtube/{name}/videos/000.mp4")
    assert [clip.quality for clip in by_path(root, quality="raw").values()] == ["raw"]


def test_dfd_is_a_dataset_of_its_own_without_an_official_split(root: Path) -> None:
    real = "original_sequences/actors/c23/videos/01__walking_outside.mp4"
    fake = "manipulated_sequences/DeepFakeDetection/c23/videos/01_02__walking_outside__YVGY8LOK.mp4"
    touch(root, real, fake)
    clips = by_path(root)
    assert (clips[real].dataset, clips[real].split, clips[real].target_id) == ("dfd", "", "dfd/01")
    assert (clips[fake].method, clips[fake].source_id) == ("DeepFakeDetection", "dfd/02")


def test_a_method_the_layout_does_not_know_is_an_error_that_names_it(root: Path) -> None:
    touch(root, "manipulated_sequences/DeepFakes2/c23/videos/000_003.mp4")
    with pytest.raises(LayoutError, match="no method 'DeepFakes2'"):
        by_path(root)


def test_a_misnamed_video_is_an_error_that_names_it(root: Path) -> None:
    touch(root, "manipulated_sequences/Deepfakes/c23/videos/000-003.mp4")
    with pytest.raises(LayoutError, match=r"000-003\.mp4 is not named TARGET_SOURCE\.mp4"):
        by_path(root)


def test_a_quality_that_is_not_there_names_one_that_is(root: Path) -> None:
    with pytest.raises(LayoutError, match="no c40 videos; take --quality c23"):
        by_path(root, quality="c40")


def test_a_missing_split_file_is_an_error_that_names_the_option(root: Path) -> None:
    (root / "splits/val.json").unlink()
    with pytest.raises(LayoutError, match=r"val\.json is missing.*--splits DIR"):
        by_path(root)


def test_an_id_in_no_split_file_is_an_error(root: Path) -> None:
    touch(root, "original_sequences/youtube/c23/videos/555.mp4")
    with pytest.raises(LayoutError, match="id 555 is in none of the split files"):
        by_path(root)


def test_split_files_may_lie_elsewhere(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "splits"
    (root / "splits").rename(elsewhere)
    assert len(by_path(root, splits=elsewhere)) == 24


def test_an_id_in_two_split_files_is_an_error(root: Path) -> None:
    (root / "splits/test.json").write_text(json.dumps([["000", "974"]]))
    with pytest.raises(LayoutError, match=r"lists 000, which is in train\.json too"):
        by_path(root)


def test_hidden_files_of_a_desktop_are_no_videos(root: Path) -> None:
    touch(root, "manipulated_sequences/Deepfakes/c23/videos/._000_003.mp4", "manipulated_sequences/.DS_Store")
    assert len(by_path(root)) == 24
