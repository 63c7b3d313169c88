"""ForgeryNet's tree: two kinds of list, and frames that are fake in part."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import DfxError, LayoutError
from dataengine.layouts import forgerynet, scan, scan_tree
from dataengine.layouts.scan import Scan, ScanOptions
from dataengine.records import Clip
from dataengine.source import SourceTree

REAL, WHOLE, PART = (f"train_video_release/{name}.mp4" for name in ("16/aa", "5/bb", "9/cc"))
VIDEOS = f"1 {REAL} 0 50 0 0 0 0\n1 {WHOLE} 0 50 1 1 2 1\n4 {PART} 0 5 0 5 20 1 25 10 0 35 15 1 1 1 10\n"
HEADER = "image_name binary_cls_label triple_cls_label 16cls_label\n"
IMAGES = {
    "train_release/16/a/b/frame00019.jpg": "0 0 0",
    "train_release/5/c/d/frame00019.jpg": "1 2 4",
    "train_release/5/c/d/frame00049.jpg": "1 2 4",
    "train_release/13/e.png": "1 1 11",
    "train_release/13/f.png": "1 1 11",
}


def put(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def videos(root: Path, listed: str = VIDEOS) -> Path:
    return put(
        root, {f"Training/video/{name}": "" for name in (REAL, WHOLE, PART)} | {"Training/video_list.txt": listed}
    )


def images(root: Path, *, folder: str = "image", path: str = "Training/image_list.txt", header: str = "") -> Path:
    lines = "".join(f"{name} {labels}\n" for name, labels in IMAGES.items())
    return put(root, {f"Training/{folder}/{name}": "" for name in IMAGES} | {path: header + lines})


def read(root: Path, form: str = "") -> Scan:
    return scan("forgerynet", root, ScanOptions(form=form))


def by_id(found: Scan) -> dict[str, Clip]:
    return {clip.clip.partition("_release/")[2]: clip for clip in found.clips}


def test_a_video_that_is_fake_in_part_is_a_fake_clip_and_a_real_one(tmp_path: Path) -> None:
    clips = by_id(read(videos(tmp_path)))
    assert {name: (clip.label, clip.method, clip.raw_method, clip.ranges) for name, clip in clips.items()} == {
        "16/aa": (0, "real", "Real", ()),
        "5/bb": (1, "ForgeryNet-FaceShifter", "FaceShifter", ((0, 50),)),
        "9/cc": (1, "FOMM", "First Order Motion", ((5, 25), (35, 50))),
        "9/cc/real": (0, "real", "Rest", ((0, 5), (25, 35))),
    }
    assert clips["9/cc"].group == clips["9/cc/real"].group


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=12))
def test_each_frame_of_any_segments_is_in_the_clip_of_its_label_and_in_no_other(parts: list[tuple[int, bool]]) -> None:
    told, flags = [], []
    for length, fake in parts:
        told += [str(len(flags)), str(length), str(int(fake))]
        flags += [fake] * length
    number = int(any(flags))
    fields = [str(len(parts)), "a.mp4", *told, *map(str, (number, number, number))]
    ranges, rest = forgerynet._segments(fields, "line 1", number)
    held = {True: {n for span in ranges for n in range(*span)}, False: {n for span in rest for n in range(*span)}}
    if number:
        assert held == {label: {n for n, flag in enumerate(flags) if flag == label} for label in (True, False)}
    else:
        assert (ranges, rest) == ((), ())


@pytest.mark.parametrize("folder", ["image", "image2", "images"])
@pytest.mark.parametrize("header", ["", HEADER])
def test_an_image_list_is_read_with_and_without_header_and_whatever_its_folder_is_called(
    tmp_path: Path, folder: str, header: str
) -> None:
    found = read(images(tmp_path, folder=folder, header=header))
    assert (found.missing, found.unexpected) == ((), ())
    clips = by_id(found)
    assert [clip.method for clip in clips.values()] == [
        "ForgeryNet-StyleGAN2",
        "ForgeryNet-StyleGAN2",
        "real",
        "ForgeryNet-BlendFace",
        "ForgeryNet-BlendFace",
    ]
    assert {clip.media for clip in found.clips} == {"images"}


def test_images_of_a_folder_are_one_identity_but_not_those_of_a_numbered_one(tmp_path: Path) -> None:
    clips = by_id(read(images(tmp_path)))
    assert clips["5/c/d/frame00019"].group == clips["5/c/d/frame00049"].group
    assert clips["13/e"].group != clips["13/f"].group


def test_videos_and_images_are_two_stores_and_videos_come_first(tmp_path: Path) -> None:
    images(videos(tmp_path))
    assert {clip.media for clip in read(tmp_path).clips} == {"video"}
    assert read(tmp_path).notes == ("videos alone: ForgeryNet's images are another store (--from image)",)
    assert {clip.media for clip in read(tmp_path, "image").clips} == {"images"}
    with pytest.raises(DfxError, match="unknown form of forgerynet 'images'; did you mean image"):
        read(tmp_path, "images")


def test_sets_are_splits_and_their_lists_may_lie_at_the_root(tmp_path: Path) -> None:
    images(tmp_path, path="training_image_list.txt")
    name = "val_perturb_release/6/a/b/frame00049.jpg"
    put(tmp_path, {f"Validation/image/{name}": "", "Validation/image_list.txt": f"{name} 1 2 4\n"})
    assert {clip.split for clip in read(tmp_path).clips} == {"train", "val"}


def test_missing_and_unlisted_files_are_named_and_masks_are_not(tmp_path: Path) -> None:
    images(tmp_path)
    put(tmp_path, {"Training/image/train_release/9/stray.jpg": "", "Training/spatial_localize/a/b.jpg": ""})
    (tmp_path / "Training/image/train_release/13/e.png").unlink()
    found = read(tmp_path)
    assert found.missing == ("Training/image/train_release/13/e.png",)
    assert found.unexpected == ("Training/image/train_release/9/stray.jpg",)


def test_a_line_that_stands_twice_is_one_clip_and_noted(tmp_path: Path) -> None:
    found = read(videos(tmp_path, VIDEOS + VIDEOS.splitlines()[0] + "\n"))
    assert len(found.clips) == 4
    assert found.notes[0].startswith("1 lines name a file again")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"1 {REAL} 0 50 1 0 0 0", "line 1 is Real and has 1 fake segments"),
        (f"1 {WHOLE} 0 50 0 1 2 1", "is FaceShifter and has 0 fake segments"),
        (f"2 {PART} 0 20 1 10 20 0 1 1 1", "segments that overlap"),
        (f"2 {PART} 0 20 1 1 1 1", "is not SEGMENTS VIDEO"),
        (f"1 {PART} 0 20 maybe 1 1 1", "the segment '0 20 maybe'"),
        (f"1 {PART} 0 -4 1 1 1 1", "the segment '0 -4 1'"),
        (f"1 {PART} 0 50 1 1 1 16", "no agreeing labels"),
        (f"1 {PART} 0 50 1 0 1 1", "no agreeing labels"),
        (f"1 {PART} 0 50 1 1 0 1", "no agreeing labels"),
        (f"1 {PART} 0 50 1 1 1 1\n1 {WHOLE} 0 50 1 1 2 1", "line 2: FaceShifter has the label 2 of 3 classes"),
        (f"1 {PART} 0 50 1 1 1 1\n1 {PART} 0 50 1 1 1 2", "line 2: .* is FS-GAN, above it is FaceShifter"),
        ("1 ../../x.mp4 0 50 1 1 1 1", "no path below"),
        (PART, "a header that does not end in"),
    ],
)
def test_a_line_that_contradicts_itself_or_another_is_refused_by_its_number(
    tmp_path: Path, line: str, says: str
) -> None:
    with pytest.raises(LayoutError, match=says):
        read(videos(tmp_path, line + "\n"))


def test_two_lists_of_one_set_are_refused(tmp_path: Path) -> None:
    put(images(tmp_path), {"training_image_list.txt": ""})
    with pytest.raises(LayoutError, match="list one set; keep one of them"):
        read(tmp_path)


def test_each_of_many_images_is_a_clip_with_its_size_and_its_folder_for_identity(tmp_path: Path) -> None:
    names = [f"train_release/5/{n // 3:05d}/frame{n:05d}.jpg" for n in range(3_000)]
    path = "Training/image_list.txt"
    put(tmp_path, {path: "".join(f"{name} 1 2 4\n" for name in names)})
    tree = SourceTree(tmp_path, {path: 1, **{f"Training/image/{name}": 7 for name in names}})
    clips = scan_tree(forgerynet.LAYOUT, tree, ScanOptions()).clips
    assert len({clip.clip for clip in clips}) == 3_000
    assert {clip.source_bytes for clip in clips} == {7}
    assert len({clip.group for clip in clips}) == 1_000


@pytest.mark.parametrize("line", ["9{} v 0 9 1 1 2 1", "1 v 0 9{} 1 1 2 1", "1 v 9{} 9 1 1 2 1", "1 v 0 9 1 1 2 1{}"])
def test_a_number_of_absurd_length_is_an_error_of_one_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(LayoutError, match=r"line 1 .*mend the list"):
        read(videos(tmp_path, line.format("1" * 5000).replace(" v ", f" {WHOLE} ")))


def test_a_video_listed_twice_with_other_segments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"line 2: .* has other segments here than above"):
        read(videos(tmp_path, f"1 {WHOLE} 0 50 1 1 2 1\n2 {WHOLE} 0 25 1 25 25 0 1 2 1\n"))
