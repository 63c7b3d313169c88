"""Celeb-DF's tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataengine.errors import LayoutError
from dataengine.layouts import scan
from dataengine.layouts.scan import ScanOptions

FILES = (
    "Celeb-real/id0_0000.mp4",
    "Celeb-real/id1_0003.mp4",
    "YouTube-real/00170.mp4",
    "Celeb-synthesis/id0_id1_0000.mp4",
    "Celeb-synthesis/id1_id0_0003.mp4",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in FILES:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    # The official list writes 1 for real and 0 for fake.
    (tmp_path / "List_of_testing_videos.txt").write_text(
        "1 YouTube-real/00170.mp4\n0 Celeb-synthesis/id1_id0_0003.mp4\n"
    )
    return tmp_path


def test_labels_come_from_the_folder_not_from_the_inverted_list(root: Path) -> None:
    clips = {clip.paths[0]: clip for clip in scan("celeb-df", root, ScanOptions()).clips}
    assert [clips[path].label for path in FILES] == [0, 0, 0, 1, 1]
    assert clips[FILES[4]].method == "Celeb-DF"


def test_the_listed_videos_are_the_test_split_and_the_rest_is_left_to_derive(root: Path) -> None:
    clips = {clip.paths[0]: clip for clip in scan("celeb-df", root, ScanOptions()).clips}
    assert [clips[path].split for path in FILES] == ["", "", "test", "", "test"]


def test_the_first_id_of_a_fake_is_its_target(root: Path) -> None:
    clips = {clip.paths[0]: clip for clip in scan("celeb-df", root, ScanOptions()).clips}
    assert (clips[FILES[3]].target_id, clips[FILES[3]].source_id) == ("celeb-df/id0", "celeb-df/id1")
    assert clips[FILES[2]].target_id == "celeb-df/youtube-00170"


def test_listed_videos_that_are_not_there_are_noted(root: Path) -> None:
    (root / "YouTube-real/00170.mp4").unlink()
    assert scan("celeb-df", root, ScanOptions()).notes == (
        "1 listed files are not in the tree (first: YouTube-real/00170.mp4)",
    )


def test_a_missing_test_list_is_an_error(root: Path) -> None:
    (root / "List_of_testing_videos.txt").unlink()
    with pytest.raises(LayoutError, match=r"List_of_testing_videos\.txt is missing"):
        scan("celeb-df", root, ScanOptions())


def test_a_malformed_line_of_the_list_is_an_error_that_gives_its_number(root: Path) -> None:
    (root / "List_of_testing_videos.txt").write_text("1 YouTube-real/00170.mp4\nCeleb-real/id0_0000.mp4\n")
    with pytest.raises(LayoutError, match="line 2"):
        scan("celeb-df", root, ScanOptions())


def test_a_name_is_for_the_layout_folder_alone(root: Path) -> None:
    with pytest.raises(LayoutError, match="--name other is for layouts without a name"):
        scan("celeb-df", root, ScanOptions(name="other"))


@pytest.mark.parametrize("suffix", [".MP4", ".avi"])
def test_a_test_video_under_another_suffix_stays_one(root: Path, suffix: str) -> None:
    (root / FILES[2]).rename((root / FILES[2]).with_suffix(suffix))
    found = scan("celeb-df", root, ScanOptions())
    assert {clip.paths[0]: clip.split for clip in found.clips}[f"YouTube-real/00170{suffix}"] == "test"
    assert found.missing == ()


@pytest.mark.parametrize(
    "line", ["", "1 Celeb-real//id0_0000.mp4", "1 Celeb-real/id0_0000", "2 Celeb-real/id0_0000.mp4"]
)
def test_a_test_list_that_would_leave_test_videos_in_train_is_refused(root: Path, line: str) -> None:
    (root / "List_of_testing_videos.txt").write_text(f"{line}\n")
    with pytest.raises(LayoutError, match="get the official list again"):
        scan("celeb-df", root, ScanOptions())
