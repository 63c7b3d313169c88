"""Class folders of videos or images, and what all layouts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataengine.errors import DfxError, LayoutError
from dataengine.layouts import scan
from dataengine.layouts.scan import ScanOptions


def make(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def test_class_folders_are_methods_and_real_is_real(tmp_path: Path) -> None:
    make(tmp_path, "Real/a.mp4", "Deepfakes/a__b.mp4", "my method/deep/er/c.avi")
    clips = scan("folder", tmp_path, ScanOptions(name="mine")).clips
    assert {(clip.method, clip.category, clip.label) for clip in clips} == {
        ("real", "real", 0),
        ("Deepfakes", "face swap", 1),
        ("my method", "unknown", 1),
    }


def test_two_underscores_give_target_and_source(tmp_path: Path) -> None:
    (clip,) = scan("folder", make(tmp_path, "Deepfakes/ann_1__bob.mp4"), ScanOptions(name="mine")).clips
    assert (clip.target_id, clip.source_id) == ("mine/ann_1", "mine/bob")


def test_split_folders_are_kept_as_splits(tmp_path: Path) -> None:
    make(tmp_path, "train/real/a.mp4", "validation/real/b.mp4", "test/fake/c.mp4")
    clips = scan("folder", tmp_path, ScanOptions()).clips
    assert {(clip.paths[0], clip.split) for clip in clips} == {
        ("train/real/a.mp4", "train"),
        ("validation/real/b.mp4", "val"),
        ("test/fake/c.mp4", "test"),
    }


def test_split_folders_beside_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="'real' beside them"):
        scan("folder", make(tmp_path, "train/real/a.mp4", "real/b.mp4"), ScanOptions())


def test_images_in_a_class_folder_are_clips_and_in_a_folder_below_frames_of_one(tmp_path: Path) -> None:
    make(tmp_path, "real/one.png", "real/two.jpg", "fake/a__b/1.png", "fake/a__b/2.png")
    clips = {clip.clip: clip.paths for clip in scan("folder", tmp_path, ScanOptions(name="x")).clips}
    assert clips == {
        "x/real/one": ("real/one.png",),
        "x/real/two": ("real/two.jpg",),
        "x/fake/a__b": ("fake/a__b/1.png", "fake/a__b/2.png"),
    }


def test_files_that_differ_in_their_suffix_alone_are_two_clips(tmp_path: Path) -> None:
    clips = scan("folder", make(tmp_path, "real/a.png", "real/a.jpg", "real/b.jpg"), ScanOptions(name="x")).clips
    assert sorted(clip.clip for clip in clips) == ["x/real/a%2Ejpg", "x/real/a%2Epng", "x/real/b"]


def test_ids_hold_neither_dot_nor_space(tmp_path: Path) -> None:
    (clip,) = scan("folder", make(tmp_path, "my.class (1)/a b.c.mp4"), ScanOptions(name="x")).clips
    assert clip.clip == "x/my%2Eclass%20%281%29/a%20b%2Ec"


def test_a_root_that_does_not_exist_names_it(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"no folder .*nowhere; .* `dfx sample folder` first"):
        scan("folder", tmp_path / "nowhere", ScanOptions())


def test_a_root_of_another_layout_names_that_layout(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="it looks like celeb-df: use `dfx shard celeb-df`"):
        scan("ff++", make(tmp_path, "Celeb-real/id0_0000.mp4"), ScanOptions())


def test_an_empty_tree_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="holds no video or image"):
        scan("folder", make(tmp_path, "real/readme.txt"), ScanOptions())


def test_an_unknown_layout_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DfxError, match="unknown layout 'celebdf'; did you mean celeb-df"):
        scan("celebdf", tmp_path, ScanOptions())


def test_a_tree_of_another_dataset_is_never_read_as_class_folders(tmp_path: Path) -> None:
    make(tmp_path, "original_sequences/youtube/c23/videos/000.mp4")
    with pytest.raises(LayoutError, match=r"it looks like ff\+\+: use `dfx shard ff\+\+`"):
        scan("folder", tmp_path, ScanOptions())


@pytest.mark.parametrize("path", ["archive/real/a.mp4", "Training/FaceSwap/a.mp4", "real/fake/a.mp4"])
def test_a_class_inside_a_class_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(LayoutError, match="is named like a class or a split"):
        scan("folder", make(tmp_path, path), ScanOptions())


def test_a_link_back_into_the_tree_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "real/sub/a.mp4")
    (tmp_path / "real/sub/loop").symlink_to(tmp_path)
    with pytest.raises(LayoutError, match="its clips count twice"):
        scan("folder", tmp_path, ScanOptions())


def test_ids_stay_distinct_whatever_the_suffixes(tmp_path: Path) -> None:
    make(tmp_path, "real/a.mp4", "real/a.avi", "real/a.mp4.avi")
    clips = scan("folder", tmp_path, ScanOptions()).clips
    assert len({clip.clip for clip in clips}) == 3


def test_frames_are_in_the_order_people_count(tmp_path: Path) -> None:
    make(tmp_path, *(f"real/a/{n}.jpg" for n in (10, 9, 1, 2)))
    (clip,) = scan("folder", tmp_path, ScanOptions()).clips
    assert [Path(path).stem for path in clip.paths] == ["1", "2", "9", "10"]


def test_folders_of_frames_that_bear_one_name_are_different_people(tmp_path: Path) -> None:
    make(tmp_path, "real/p1/frames/1.jpg", "real/p2/frames/1.jpg", "fake/p1__p2/frames/1.jpg")
    clips = scan("folder", tmp_path, ScanOptions(name="x")).clips
    assert {(clip.target_id, clip.source_id) for clip in clips} == {
        ("x/p1/frames", ""),
        ("x/p2/frames", ""),
        ("x/p1", "x/p2"),
    }


def test_a_tree_without_reals_says_so(tmp_path: Path) -> None:
    assert scan("folder", make(tmp_path, "FaceSwap/a.mp4"), ScanOptions()).notes


def test_a_class_called_original_is_refused_and_never_a_fake(tmp_path: Path) -> None:
    (tmp_path / "original").mkdir()
    (tmp_path / "original/a.mp4").touch()
    with pytest.raises(LayoutError, match="would be a class of fakes by its name; call the folder 'real'"):
        scan("folder", tmp_path, ScanOptions())


def test_reals_inside_the_class_of_a_method_are_refused_and_never_its_fakes(tmp_path: Path) -> None:
    (tmp_path / "progan/0_real").mkdir(parents=True)
    (tmp_path / "progan/0_real/1.png").touch()
    with pytest.raises(LayoutError, match="0_real is named like a class"):
        scan("folder", tmp_path, ScanOptions())
