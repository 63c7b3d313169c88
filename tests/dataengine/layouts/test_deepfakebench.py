"""DeepfakeBench's JSON files, as its rearrange.py writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dataengine.errors import DfxError, LayoutError
from dataengine.layouts import layout_named, scan
from dataengine.layouts.scan import Scan, ScanOptions
from dataengine.records import Clip

THEIRS = "/data/people/deepfakes_detection_datasets"
YOUTUBE = "FaceForensics++/original_sequences/youtube"
FACESWAP = "FaceForensics++/manipulated_sequences/FaceSwap"


def video(
    root: Path, label: str, folder: str, *, frames: int = 2, slash: str = "/", make: bool = True
) -> dict[str, Any]:
    """A record of the index, and its frames below the root."""
    names = [f"{folder}/{n * 5:03d}.png" for n in range(frames)]
    for name in names if make else ():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"png")
    # os.scandir gives the frames in no order.
    return {"label": label, "frames": [f"{THEIRS}/{name}".replace("/", slash) for name in reversed(names)]}


def read(root: Path, index: Mapping[str, Any], **options: str) -> Scan:
    listing = root / "index.json"
    listing.write_text(json.dumps(index))
    return scan("manifest", root, ScanOptions(listing=str(listing), form="deepfakebench", **options))


def by_name(found: Scan) -> dict[str, Clip]:
    return {clip.clip: clip for clip in found.clips}


def ffpp(root: Path, **kwargs: Any) -> dict[str, Any]:
    """FF-FS.json: train, val and test of two people each, in c23, with c40 left empty as rearrange.py does."""
    index: dict[str, Any] = {"FF-real": {}, "FF-FS": {}}
    for split, (a, b) in {"train": ("000", "003"), "val": ("010", "011"), "test": ("020", "021")}.items():
        real = {name: video(root, "FF-real", f"{YOUTUBE}/c23/frames/{name}", **kwargs) for name in (a, b)}
        fake = {n: video(root, "FF-FS", f"{FACESWAP}/c23/frames/{n}", **kwargs) for n in (f"{a}_{b}", f"{b}_{a}")}
        index["FF-real"][split] = {"c40": {}, "c23": real}
        index["FF-FS"][split] = {"c23": {name: {**entry, "masks": []} for name, entry in fake.items()}}
    return {"FF-FS": index}


def test_the_official_splits_names_and_people_of_ffpp_are_the_layouts_own(tmp_path: Path) -> None:
    clips = by_name(read(tmp_path, ffpp(tmp_path)))
    assert len(clips) == 12
    fake = clips["ff++/FF-FS/c23/010_011"]
    assert (fake.dataset, fake.raw_method, fake.method, fake.category) == ("ff++", "FaceSwap", "FaceSwap", "face swap")
    assert (fake.split, fake.quality, fake.target_id, fake.source_id) == ("val", "c23", "ff++/010", "ff++/011")
    assert fake.paths == (f"{FACESWAP}/c23/frames/010_011/000.png", f"{FACESWAP}/c23/frames/010_011/005.png")
    real = clips["ff++/FF-real/c23/020"]
    assert (real.method, real.raw_method, real.split, real.source_id) == ("real", "original", "test", "")


def test_what_stands_before_the_root_is_taken_off_and_said_with_either_slash(tmp_path: Path) -> None:
    found = read(tmp_path, ffpp(tmp_path, slash="\\"))
    assert found.clips == read(tmp_path, ffpp(tmp_path)).clips
    assert found.notes == (f"the paths of the list are read from behind '{THEIRS}/'",)


def test_a_root_further_down_is_found_too(tmp_path: Path) -> None:
    read(tmp_path, ffpp(tmp_path))
    options = ScanOptions(listing=str(tmp_path / "index.json"), form="deepfakebench")
    assert len(scan("manifest", tmp_path / "FaceForensics++", options).clips) == 12


def test_one_compression_is_taken_c23_unless_another_is_chosen(tmp_path: Path) -> None:
    index = ffpp(tmp_path)
    index["FF-FS"]["FF-real"]["train"]["c40"] = {"000": video(tmp_path, "FF-real", f"{YOUTUBE}/c40/frames/000")}
    found = read(tmp_path, index)
    assert {clip.quality for clip in found.clips} == {"c23"}
    assert any("c23 is taken; the list has c40 as well" in note for note in found.notes)
    assert [clip.clip for clip in read(tmp_path, index, quality="c40").clips] == ["ff++/FF-real/c40/000"]
    with pytest.raises(LayoutError, match=r"no compression raw \(it has c23, c40\)"):
        read(tmp_path, index, quality="raw")


def test_a_test_video_of_celebdf_is_in_no_other_split_and_train_and_val_are_derived(tmp_path: Path) -> None:
    def entry(name: str) -> dict[str, Any]:
        folder = "Celeb-synthesis" if name.count("id") > 1 else "Celeb-real" if "id" in name else "YouTube-real"
        label = f"CelebDFv2_{'fake' if folder == 'Celeb-synthesis' else 'real'}"
        return video(tmp_path, label, f"Celeb-DF-v2/{folder}/frames/{name}")

    reals = {name: entry(name) for name in ("id0_0000", "id1_0001", "00170")}
    fakes = {name: entry(name) for name in ("id0_id1_0000", "id1_id0_0001")}
    tested = {name: reals[name] for name in ("id1_0001", "00170")}
    tested_fakes = {name: fakes[name] for name in ("id1_id0_0001",)}
    index = {
        "Celeb-DF-v2": {
            "CelebDFv2_real": {"train": reals, "val": tested, "test": tested},
            "CelebDFv2_fake": {"train": fakes, "val": tested_fakes, "test": tested_fakes},
        }
    }
    found = read(tmp_path, index)
    assert {clip.clip.rpartition("/")[2]: clip.split for clip in found.clips} == {
        "id0_0000": "",
        "id1_0001": "test",
        "00170": "test",
        "id0_id1_0000": "",
        "id1_id0_0001": "test",
    }
    assert any("2 test videos stand in train or val too" in note for note in found.notes)
    clips = {clip.clip.rpartition("/")[2]: clip for clip in found.clips}
    assert (clips["00170"].raw_method, clips["00170"].target_id) == ("YouTube-real", "celeb-df/youtube-00170")
    assert (clips["id0_0000"].raw_method, clips["id0_0000"].target_id) == ("Celeb-real", "celeb-df/id0")
    assert (clips["id0_id1_0000"].target_id, clips["id0_id1_0000"].source_id) == ("celeb-df/id0", "celeb-df/id1")
    assert clips["id0_id1_0000"].method == "Celeb-DF"


def test_a_dataset_whose_splits_are_all_the_same_has_none(tmp_path: Path) -> None:
    fakes = {name: video(tmp_path, "UADFV_Fake", f"UADFV/fake/frames/{name}") for name in ("0000", "0001")}
    reals = {name: video(tmp_path, "UADFV_Real", f"UADFV/real/frames/{name}") for name in ("0000", "0001")}
    index = {
        "UADFV": {
            label: dict.fromkeys(("train", "val", "test"), videos)
            for label, videos in (("UADFV_Fake", fakes), ("UADFV_Real", reals))
        }
    }
    found = read(tmp_path, index)
    assert {(clip.dataset, clip.raw_method, clip.label, clip.split) for clip in found.clips} == {
        ("UADFV", "UADFV", 1, ""),
        ("UADFV", "real", 0, ""),
    }
    assert any("UADFV_Fake: train and test are the same videos" in note for note in found.notes)


def test_dfdcs_val_that_is_one_video_without_a_name_is_left_out(tmp_path: Path) -> None:
    train = {"aaa": video(tmp_path, "DFDC_Real", "DFDC/train/dfdc_train_part_0/frames/aaa")}
    test = {"bbb": video(tmp_path, "DFDC_Real", "DFDC/test/frames/bbb")}
    index = {"DFDC": {"DFDC_Real": {"train": train, "test": test, "val": {**test["bbb"], **train}}}}
    found = read(tmp_path, index)
    assert [(clip.dataset, clip.split) for clip in found.clips] == [("dfdc", ""), ("dfdc", "test")]
    assert any("DFDC/DFDC_Real/val holds a video without a name" in note for note in found.notes)


def test_df40s_labels_give_the_method_and_the_label(tmp_path: Path) -> None:
    index = {
        "sd2.1_ff": {
            "sd2.1_Real": {"train": {}, "val": {}, "test": {"000": video(tmp_path, "x", f"{YOUTUBE}/c23/frames/000")}},
            "sd2.1_Fake": {"train": {}, "val": {}, "test": {"000": video(tmp_path, "x", "DF40/sd2.1/ff/000")}},
        }
    }
    clips = by_name(read(tmp_path, index, name="df40"))
    assert {name: (clip.raw_method, clip.method, clip.split) for name, clip in clips.items()} == {
        "df40/sd2%2E1_Real/000": ("real", "real", "test"),
        "df40/sd2%2E1_Fake/000": ("sd2.1", "SD-2.1", "test"),
    }


def test_reals_that_stand_under_several_labels_are_taken_once_unless_they_contradict(tmp_path: Path) -> None:
    real = {"000": video(tmp_path, "x", f"{YOUTUBE}/c23/frames/000")}
    index = {"FSAll": {label: {"train": real, "val": {}, "test": {}} for label in ("a_Real", "b_Real")}}
    found = read(tmp_path, index)
    assert len(found.clips) == 1
    assert "1 videos stand under several labels and are taken once" in found.notes
    index["FSAll"]["b_Fake"] = index["FSAll"].pop("b_Real")
    with pytest.raises(LayoutError, match="is real in one place and fake in another"):
        read(tmp_path, index)


def test_missing_frames_and_empty_videos_are_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    index = ffpp(tmp_path)
    train = index["FF-FS"]["FF-real"]["train"]["c23"]
    train["001"] = video(tmp_path, "FF-real", f"{YOUTUBE}/c23/frames/001", make=False)
    train["002"] = {"label": "FF-real", "frames": []}
    train["000"]["frames"].append(f"{THEIRS}/../../etc/passwd.png")
    found = read(tmp_path, index)
    assert len(found.clips) == 12
    assert "1 videos have no frames in the list and are left out" in found.notes
    assert found.missing == (
        "../../etc/passwd.png",
        f"{YOUTUBE}/c23/frames/001/000.png",
        f"{YOUTUBE}/c23/frames/001/005.png",
    )


def test_a_label_that_says_neither_real_nor_fake_is_refused(tmp_path: Path) -> None:
    index = {"X": {"FF-SH": {"train": {"000": video(tmp_path, "FF-SH", "X/000")}}}}
    with pytest.raises(LayoutError, match=r"index\.json: label 'FF-SH' does not say real or fake"):
        read(tmp_path, index)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ([1], "holds no object with the name of a dataset"),
        ({"X": {"a_Real": {"dev": {}}}}, "'dev' is none of train, val, test"),
        (
            {"X": {"a_Real": {"train": {"v": {"frames": "1.png"}}}}},
            "X/a_Real/train/v is no video with a list of frames",
        ),
        ({"X": {"a_Real": {"train": {"v": 3}}}}, "X/a_Real/train/v is no video"),
        ({"X": {"a_Real": {"train": {"v": {"frames": ["else/1.png"]}}}}}, "none of the 1 files"),
        ({}, "lists no file"),
    ],
)
def test_another_form_is_refused_with_the_place(tmp_path: Path, index: Any, message: str) -> None:
    (tmp_path / "file.png").touch()
    with pytest.raises(LayoutError, match=message) as error:
        read(tmp_path, index)
    assert "\n" not in str(error.value)


def test_its_frames_are_cropped_already_and_other_forms_are_unknown() -> None:
    assert layout_named("manifest", "deepfakebench").cropped
    with pytest.raises(DfxError, match="unknown form of manifest 'deepfakbench'; did you mean deepfakebench"):
        layout_named("manifest", "deepfakbench")


def test_frames_of_one_name_in_two_folders_have_one_order_and_each_splits_frames_count(tmp_path: Path) -> None:
    one, two = (video(tmp_path, "X_Fake", f"set/{folder}/v") for folder in "ab")
    (clip,) = read(tmp_path, {"X": {"X_Fake": {"train": {"v": one}, "val": {"v": two}}}}).clips
    assert clip.paths == ("set/a/v/000.png", "set/b/v/000.png", "set/a/v/005.png", "set/b/v/005.png")


def test_a_video_that_is_a_test_video_under_one_label_is_one_under_all(tmp_path: Path) -> None:
    first, other, third = (video(tmp_path, "X", f"set/{name}") for name in "vwu")
    index = {"X_Fake": {"train": {"v": first, "w": other}}, "Y_Fake": {"test": {"v": first}, "train": {"u": third}}}
    found = {clip.paths[0]: clip.split for clip in read(tmp_path, {"X": index}).clips}
    assert found["set/v/000.png"] == "test"


def test_a_frame_that_is_real_in_one_video_and_fake_in_another_is_refused(tmp_path: Path) -> None:
    real, fake = (video(tmp_path, "X", f"set/{name}") for name in "rf")
    fake["frames"].append(real["frames"][0])
    with pytest.raises(LayoutError, match=r"set/r/005\.png is real in one place and fake in another"):
        read(tmp_path, {"X": {"X_Real": {"train": {"r": real}}, "X_Fake": {"train": {"f": fake}}}})
