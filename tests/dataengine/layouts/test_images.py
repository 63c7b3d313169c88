"""Single images, by lists or class folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataengine.errors import LayoutError
from dataengine.layouts import LAYOUTS, scan
from dataengine.layouts.scan import ScanOptions


def make(root: Path, *paths: str, **texts: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    for name, text in texts.items():
        (root / f"{name}.txt").write_text(text)
    return root


@pytest.fixture
def dnadet(tmp_path: Path) -> Path:
    """The tree and lists that DNA-Det's generate_data_multiple_cross.py leaves, for three classes."""
    folders = ("real/celeba/a b", "GANs/ProGAN/seed_v0", "GANs/SNGAN/celeba")
    for split, numbers in {"train": (0, 1), "val": (2,), "test": (3,)}.items():
        lines = []
        for label, folder in enumerate(folders):
            for number in numbers:
                make(tmp_path, f"dataset/{folder}/{number}.png")
                lines.append(f"./dataset/{folder}/{number}.png\t{label}\n")
        out = tmp_path / f"lists/celeba_{split}/annotations"
        make(out, **{f"celeba_{split}": "".join(lines)})
    make(tmp_path / "lists/celeba_test/annotations", celeba_test_cross_seed="./dataset/GANs/ProGAN/seed_v1/0.png\t1\n")
    return tmp_path


def test_the_authors_tree_of_lists_gives_the_splits(dnadet: Path) -> None:
    make(dnadet / "lists", classes="Real\nProGAN\nSNGAN\n")
    found = scan("images", dnadet, ScanOptions(splits=dnadet / "lists", name="celeba"))
    assert {(clip.method, clip.split) for clip in found.clips} == {
        (method, split) for method in ("real", "ProGAN", "SNGAN") for split in ("train", "val", "test")
    }
    assert (len(found.clips), found.split_origin, found.notes) == (12, "the lists'", ())
    clip = next(clip for clip in found.clips if clip.method == "ProGAN" and clip.split == "val")
    assert clip.paths == ("dataset/GANs/ProGAN/seed_v0/2.png",)
    assert clip.target_id == "celeba/dataset/GANs/ProGAN/seed_v0/2.png"


def test_a_number_without_a_name_is_a_fake_class_and_said(dnadet: Path) -> None:
    make(dnadet / "lists", classes="Real\n\n")
    found = scan("images", dnadet, ScanOptions(splits=dnadet / "lists"))
    assert {clip.method for clip in found.clips} == {"real", "class-1", "class-2"}
    assert found.notes == (
        "class-1, class-2 have no name and count as fakes; name the classes in classes.txt, one a line",
    )


def test_without_names_nothing_is_real_and_that_is_said(dnadet: Path) -> None:
    found = scan("images", dnadet, ScanOptions(splits=dnadet / "lists"))
    assert all(clip.label for clip in found.clips)
    assert "no class is named 'real': every image counts as a fake" in found.notes


def test_lists_in_the_root_are_read_and_other_files_are_not_asked_for(tmp_path: Path) -> None:
    make(tmp_path, "a/1.png", "a/2.png", "b/3.png", train="a/1.png\treal\n", test="b/3.png\tStyleGAN\n", readme="x\n")
    found = scan("images", tmp_path, ScanOptions())
    assert {(clip.paths[0], clip.method, clip.split) for clip in found.clips} == {
        ("a/1.png", "real", "train"),
        ("b/3.png", "StyleGAN", "test"),
    }
    assert (found.missing, found.unexpected) == ((), ())


def test_one_list_may_be_given_and_its_splits_are_derived(tmp_path: Path) -> None:
    make(tmp_path, "a/1.png", "a/2.png", list="a/1.png\t0\n\na/2.png\t1\n", classes="real\nDDPM\n")
    found = scan("images", tmp_path, ScanOptions(listing=str(tmp_path / "list.txt")))
    assert [(clip.clip, clip.method, clip.split) for clip in found.clips] == [
        ("list/a/1", "real", ""),
        ("list/a/2", "DDPM", ""),
    ]
    assert found.split_origin == "derived, image by image"


def test_a_list_given_alone_is_of_the_split_that_its_name_holds(dnadet: Path) -> None:
    make(dnadet, "dataset/GANs/ProGAN/seed_v1/0.png")
    annotations = dnadet / "lists/celeba_test/annotations"
    make(annotations, classes="real\nProGAN\n")
    options = ScanOptions(listing=str(annotations / "celeba_test_cross_seed.txt"))
    (clip,) = scan("images", dnadet, options).clips
    assert (clip.dataset, clip.method, clip.split) == ("celeba_test_cross_seed", "ProGAN", "test")


def test_an_image_in_two_lists_is_an_error_that_names_both(tmp_path: Path) -> None:
    make(tmp_path, "a/1.png", "a/2.png", train="a/1.png\t0\n", val="a/2.png\t0\na/1.png\t0\n")
    with pytest.raises(LayoutError, match=r"val\.txt line 2: a/1\.png is in .*train\.txt line 1 too"):
        scan("images", tmp_path, ScanOptions())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a/1.png 0", "line 2 is not PATH<TAB>LABEL"),
        ("a/1.png\t", "line 2 is not PATH<TAB>LABEL"),
        ("../1.png\t0", r"line 2: path: '\.\./1\.png' is no path below"),
        ("a/v.mp4\t0", "line 2: a/v.mp4 is no image"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    make(tmp_path, "a/1.png", train=f"\n{line}\n")
    with pytest.raises(LayoutError, match=message):
        scan("images", tmp_path, ScanOptions())


def test_listed_images_that_are_not_there_are_missing_and_a_wrong_root_is_said(tmp_path: Path) -> None:
    make(tmp_path, "a/1.png", train="a/1.png\treal\na/2.png\treal\n")
    assert scan("images", tmp_path, ScanOptions()).missing == ("a/2.png",)
    (tmp_path / "train.txt").write_text("b/2.png\treal\n")
    with pytest.raises(LayoutError, match=r"none of the 1 files .*--root"):
        scan("images", tmp_path, ScanOptions())


def test_two_lists_for_one_split_and_a_folder_without_lists_are_refused(tmp_path: Path) -> None:
    make(tmp_path / "lists", celeba_train="", lsun_train="")
    make(tmp_path, "a/1.png")
    with pytest.raises(LayoutError, match=r"two lists for train \(celeba_train\.txt, lsun_train\.txt\)"):
        scan("images", tmp_path, ScanOptions(splits=tmp_path / "lists"))
    make(tmp_path / "none", readme="")
    with pytest.raises(LayoutError, match=r"holds no train\.txt"):
        scan("images", tmp_path, ScanOptions(splits=tmp_path / "none"))


def test_in_class_folders_every_image_is_a_clip_and_an_identity_at_any_depth(tmp_path: Path) -> None:
    make(tmp_path, "Real/1.png", "ProGAN/seed/v0/ann__bob.jpg", "ProGAN/seed/v0/2.png", "ProGAN/video.mp4")
    found = scan("images", tmp_path, ScanOptions(name="x"))
    assert {(clip.clip, clip.method, clip.target_id, clip.source_id) for clip in found.clips} == {
        ("x/Real/1", "real", "x/Real/1.png", ""),
        ("x/ProGAN/seed/v0/ann__bob", "ProGAN", "x/ProGAN/seed/v0/ann__bob.jpg", ""),
        ("x/ProGAN/seed/v0/2", "ProGAN", "x/ProGAN/seed/v0/2.png", ""),
    }


def test_split_folders_are_splits(tmp_path: Path) -> None:
    make(tmp_path, "train/real/1.png", "valid/real/2.png")
    assert [clip.split for clip in scan("images", tmp_path, ScanOptions()).clips] == ["train", "val"]


def test_another_datasets_tree_is_never_read_as_class_folders(tmp_path: Path) -> None:
    make(tmp_path, "Celeb-real/id0_0000.png")
    with pytest.raises(LayoutError, match="it looks like celeb-df"):
        scan("images", tmp_path, ScanOptions())


def test_nobody_looks_for_faces_by_default() -> None:
    assert LAYOUTS["images"].cropped


@pytest.mark.parametrize("name", ["val", "valid", "a_validation"])
def test_the_list_of_val_may_be_named_as_a_split_folder_may(tmp_path: Path, name: str) -> None:
    make(tmp_path, "a/1.png", "a/2.png", **{"train": "a/1.png\treal\n", name: "a/2.png\tx\n"})
    assert [clip.split for clip in scan("images", tmp_path, ScanOptions()).clips] == ["train", "val"]
    assert [c.split for c in scan("images", tmp_path, ScanOptions(listing=str(tmp_path / f"{name}.txt"))).clips] == [
        "val"
    ]


def test_a_class_number_of_absurd_length_is_a_name(tmp_path: Path) -> None:
    make(tmp_path, "a/1.png", train="a/1.png\t" + "9" * 5000 + "\n")
    assert scan("images", tmp_path, ScanOptions()).clips[0].label == 1


@pytest.mark.parametrize("path", ["progan/0_real/1.png", "progan/car/1_fake/1.png", "0_real/1.png", "Originals/1.png"])
def test_a_folder_that_is_called_real_in_other_words_is_refused_and_never_a_fake(tmp_path: Path, path: str) -> None:
    make(tmp_path, "StyleGAN/1.png", path)
    with pytest.raises(LayoutError, match=r"is named like a class|would be a class of fakes by its name"):
        scan("images", tmp_path, ScanOptions())
