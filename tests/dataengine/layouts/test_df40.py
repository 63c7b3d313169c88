"""DF40's trees."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from dataengine import methods
from dataengine.convert import convert
from dataengine.errors import LayoutError
from dataengine.layouts import scan
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.records import Clip
from dataengine.settings import ExtractSettings
from dataengine.splits import derive, shared_identities
from tests.dataengine.layouts.conftest import Miniature, touch


def clip_of(root: Path, *paths: str) -> Clip:
    """The one clip of a tree that holds these images alone."""
    touch(root, *paths)
    (clip,) = scan("df40", root, ScanOptions()).clips
    return clip


def test_the_forty_methods_are_in_the_categories_that_the_authors_count() -> None:
    raws = [raw for dataset, raw in methods.known() if dataset == "df40" and raw != "real"]
    count = Counter(methods.canonical("df40", raw).category for raw in raws)
    assert len({methods.canonical("df40", raw).name for raw in raws}) == 40
    assert count["face swap"] == 10
    assert count["reenactment"] + count["talking head"] == 13
    assert count["synthesis"] == 12
    assert count["editing"] == 5


@pytest.mark.parametrize(
    ("path", "label", "target", "source"),
    [
        ("DF40/simswap/ff/frames/000_003/153.png", 1, "ff++/000", "ff++/003"),
        ("DF40/simswap/cdf/frames/id0_id16_0003/153.png", 1, "celeb-df/id0", "celeb-df/id16"),
        ("DF40/VQGAN/ff/000/013158.png", 1, "ff++/000", ""),
        ("DF40/VQGAN/cdf/Fake_from_Celeb-real/id10_0001/013158.png", 1, "celeb-df/id10", ""),
        ("DF40/VQGAN/cdf/Celeb-real/id10_0001/1.png", 1, "celeb-df/id10", ""),
        ("DF40/DiT/cdf/Fake_from_Youtube-real/00170/1.png", 1, "celeb-df/youtube-00170", ""),
        ("DF40/e4e/cdf/YouTube-real/inversions/00170.png", 1, "celeb-df/youtube-00170", ""),
        ("DF40/heygen/heygen_new/real/vid1/0.png", 0, "df40/heygen/real/vid1", ""),
        ("DF40/deepfacelab/fake/frames/0003_fake/0.png", 1, "df40/deepfacelab/fake/0003_fake", ""),
        ("DF40/stargan/fake/fake/00931.jpg", 1, "df40/stargan/fake/00931", ""),
        ("DF40/stargan/real/real/00931.jpg", 0, "df40/stargan/real/00931", ""),
        ("DF40_train/simswap/frames/000_003/1.png", 1, "ff++/000", "ff++/003"),
        ("DF40_train/ddim/000/seed3.png", 1, "ff++/000", ""),
    ],
)
def test_folders_below_a_method_give_label_and_identities(
    path: str, label: int, target: str, source: str, tmp_path: Path
) -> None:
    clip = clip_of(tmp_path, path)
    assert (clip.label, clip.target_id, clip.source_id, clip.paths) == (label, target, source, (path,))
    assert clip.split == ("" if path.startswith("DF40_train") else "test")


@pytest.mark.parametrize(
    ("folder", "raw_method", "name"),
    [
        ("inswap", "inswap", "InSwapper"),
        ("danet", "danet", "DaGAN"),
        ("ddim", "ddim", "DDPM"),
        ("sd2.1", "sd2.1", "SD-2.1"),
        ("facevid2vid", "facevid2vid", "FS_vid2vid"),
        ("one_shot_free", "one_shot_free", "OneShot"),
        ("mraa", "MRAA", "MRAA"),
        ("Whichisreal", "whichfaceisreal", "WhichFaceIsReal"),
        ("StarGAN2", "starganv2", "DF40-StarGANv2"),
    ],
)
def test_spellings_of_a_method_are_one_method(folder: str, raw_method: str, name: str, tmp_path: Path) -> None:
    clip = clip_of(tmp_path, f"DF40/{folder}/fake/0/0.png")
    assert (clip.raw_method, clip.method) == (raw_method, name)


def test_frames_are_in_the_order_of_their_numbers_and_landmarks_are_none(tmp_path: Path) -> None:
    top = "DF40/simswap/ff"
    clip = clip_of(tmp_path, *(f"{top}/frames/000_003/{n}.png" for n in (10, 9)), f"{top}/landmarks/000_003/9.png")
    assert clip.paths == (f"{top}/frames/000_003/9.png", f"{top}/frames/000_003/10.png")


def test_a_method_that_df40_does_not_have_is_an_error_that_names_it(tmp_path: Path) -> None:
    touch(tmp_path, "DF40/simswop/ff/frames/000_003/1.png")
    with pytest.raises(LayoutError, match="simswop is no method of df40"):
        scan("df40", tmp_path, ScanOptions())


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("DF40/simswap/ff/frames/000_003/more/1.png", "does not know a folder 'more'"),
        ("DF40/stargan/fake/real/1.png", "does not know a folder 'real'"),
        ("DF40/simswap/000_003/1.png", "outside of ff, cdf, fake and real"),
    ],
)
def test_a_folder_that_no_one_describes_is_an_error_never_a_label(path: str, says: str, tmp_path: Path) -> None:
    touch(tmp_path, path)
    with pytest.raises(LayoutError, match=says):
        scan("df40", tmp_path, ScanOptions())


def test_val_is_dealt_out_of_the_train_tree_by_identity_and_the_test_tree_stays_test(tmp_path: Path) -> None:
    pairs = [f"{n:03d}_{n ^ 1:03d}" for n in range(20)]
    touch(tmp_path, *(f"DF40_train/{method}/frames/{pair}/0.png" for pair in pairs for method in ("simswap", "inswap")))
    touch(tmp_path, "DF40/simswap/ff/frames/100_101/0.png")
    found = scan("df40", tmp_path, ScanOptions())
    clips = derive(found.clips, 0)
    assert "dealt with train out of DF40_train by identity" in found.split_origin
    assert {clip.target_id for clip in clips if clip.split == "test"} == {"ff++/100"}
    assert {clip.split for clip in clips} == {"train", "val", "test"}
    assert shared_identities(clips) == {}


def test_the_miniature_converts_with_its_own_reals(miniature: Miniature, tmp_path: Path) -> None:
    settings = ConvertSettings(extract=ExtractSettings(faces="none"))
    store = convert("df40", miniature("df40"), tmp_path / "out", settings, ScanOptions()).store
    rows = store.clips().to_pylist()
    assert {row["status"] for row in rows} == {"ok"}
    assert Counter(row["raw_method"] for row in rows) == {
        **dict.fromkeys(("simswap", "inswap", "danet", "one_shot_free", "ddim"), 4),
        "deepfacelab": 2,
        "real": 2,
    }


def test_two_folders_of_one_method_do_not_count_twice(tmp_path: Path) -> None:
    touch(tmp_path, "DF40/ddim/ff/000/1.png", "DF40/DDPM/ff/000/1.png")
    with pytest.raises(LayoutError, match="are two names of one method"):
        scan("df40", tmp_path, ScanOptions())
