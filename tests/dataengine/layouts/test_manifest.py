"""A dataset that one CSV or Parquet file describes."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import LayoutError
from dataengine.layouts import scan, scan_tree
from dataengine.layouts.manifest import LAYOUT
from dataengine.layouts.rows import Row
from dataengine.layouts.scan import Scan, ScanOptions
from dataengine.records import Clip
from dataengine.source import SourceTree

FILES = ("a.mp4", "b.mp4", "faces/1.png", "faces/2.png", "faces/10.png", "x/1.png", "seqs.tar.gz", "notes.txt")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in FILES:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"12345")
    return tmp_path


def read(root: Path, text: str, **options: str) -> Scan:
    listing = root / "list.csv"
    listing.write_text(text)
    return scan("manifest", root, ScanOptions(listing=str(listing), **options))


def one(root: Path, text: str, **options: str) -> Clip:
    (clip,) = read(root, text, **options).clips
    return clip


def test_each_column_is_read_as_the_page_says(root: Path) -> None:
    clip = one(
        root,
        "path,label,method,split,target_id,source_id,quality,dataset\na.mp4,fake,Deepfakes,valid,ann,bob,c40,mine\n",
    )
    assert clip == Clip(
        clip="mine/a",
        paths=("a.mp4",),
        media="video",
        dataset="mine",
        split="val",
        raw_method="Deepfakes",
        method="Deepfakes",
        category="face swap",
        quality="c40",
        target_id="mine/ann",
        source_id="mine/bob",
        source_bytes=5,
    )


@pytest.mark.parametrize(
    ("label", "method", "expected"),
    [
        ("real", "", ("real", "real")),
        ("0", "", ("real", "real")),
        ("Fake", "", ("fake", "unknown")),
        ("1", "Face2Face", ("Face2Face", "reenactment")),
        ("", "mine", ("mine", "unknown")),
        ("", "Real", ("real", "real")),
        ("real", "real", ("real", "real")),
    ],
)
def test_label_or_method_is_enough(root: Path, label: str, method: str, expected: tuple[str, str]) -> None:
    clip = one(root, f"path,label,method\na.mp4,{label},{method}\n")
    assert (clip.method, clip.category) == expected


def test_a_method_that_a_known_dataset_calls_so_is_the_canonical_one(root: Path) -> None:
    clips = read(root, "path,method,dataset\na.mp4,original,ff++\nb.mp4,Celeb-synthesis,celeb-df\n").clips
    assert [(clip.raw_method, clip.method) for clip in clips] == [("Celeb-synthesis", "Celeb-DF"), ("original", "real")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.mp4,real,Deepfakes,,,,", "a real with the method 'Deepfakes'; leave"),
        ("a.mp4,fake,real,,,,", "a fake with the method 'real'"),
        ("a.mp4,maybe,,,,,", "label 'maybe' is none of real, fake, 0"),
        ("a.mp4,,,,,,", "neither label nor method"),
        ("a.mp4,fake,,dev,,,", "split 'dev' is none of train, val, test"),
        ("a.mp4,real,,,bob,,", "a real has the source_id 'bob'"),
        ("../a.mp4,real,,,,,", r"'\.\./a\.mp4' is no path below the dataset's folder"),
        ("/etc/passwd.png,real,,,,,", "'/etc/passwd.png' is no path below"),
        ("notes.txt,real,,,,,", "notes.txt is neither a video nor an image"),
        ("a.mp4,real,,,,5,", "stop is ''; give a whole number"),
        ("a.mp4,real,,,,9,3", "start 9 is not before stop 3"),
        ("a.mp4,real,,,,-1,3", "start is '-1'; give a whole number"),
        ("x/1.png,real,,,,0,3", "start and stop are for videos"),
        ("b.mp4,real,,,,,", "b.mp4 is listed in line 2 already"),
        (",real,,,,,", "'' is no path"),
    ],
)
def test_a_wrong_row_is_one_line_with_the_file_and_the_line(root: Path, row: str, message: str) -> None:
    head = "path,label,method,split,source_id,start,stop\nb.mp4,real,,,,,\n"
    with pytest.raises(LayoutError, match=message) as error:
        read(root, f"{head}{row}\n")
    assert "list.csv line 3: " in str(error.value)
    assert "\n" not in str(error.value)


def test_a_row_of_another_length_is_named_by_its_line(root: Path) -> None:
    with pytest.raises(LayoutError, match=r"list\.csv line 3 has 3 fields where the header has 2"):
        read(root, "path,label\na.mp4,real\nb.mp4,real,\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.mp4,0\n", "no column 'path'"),
        ("", "no column 'path'"),
        ("path,Path\na,b\n", "two columns 'path'"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused(root: Path, text: str, message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        read(root, text)


def test_a_list_that_is_not_there_or_no_text_is_refused(root: Path) -> None:
    with pytest.raises(LayoutError, match=r"none\.csv cannot be read \(no such file\)"):
        scan("manifest", root, ScanOptions(listing=str(root / "none.csv")))
    (root / "list.csv").write_bytes(b"path,label\n\xff\xfe.mp4,real\n")
    with pytest.raises(LayoutError, match="no text file"):
        scan("manifest", root, ScanOptions(listing=str(root / "list.csv")))
    (root / "list.parquet").write_bytes(b"path,label\n")
    with pytest.raises(LayoutError, match="no Parquet file"):
        scan("manifest", root, ScanOptions(listing=str(root / "list.parquet")))


def test_images_of_one_clip_are_frames_as_people_count(root: Path) -> None:
    clip = one(root, "path,label,clip\nfaces/10.png,1,s1\nfaces/2.png,1,s1\nfaces/1.png,1,s1\n")
    assert clip.paths == ("faces/1.png", "faces/2.png", "faces/10.png")
    assert (clip.clip, clip.target_id, clip.source_bytes) == ("list/s1", "list/s1", 15)


def test_frame_numbers_order_a_clip_where_they_are_given(root: Path) -> None:
    clip = one(root, "path,label,clip,frame\nfaces/10.png,1,s1,7\nfaces/2.png,1,s1,7\nx/1.png,1,s1,2.0\n")
    assert clip.paths == ("x/1.png", "faces/2.png", "faces/10.png")


def test_a_folder_is_the_clip_of_its_images(root: Path) -> None:
    clip = one(root, "path,label\nfaces,fake\n")
    assert (clip.clip, clip.media, clip.paths) == ("list/faces", "images", tuple(f"faces/{n}.png" for n in (1, 2, 10)))


def test_an_image_without_a_clip_is_one_of_its_own(root: Path) -> None:
    clips = read(root, "path,label\nfaces/1.png,0\nfaces/2.png,0\n").clips
    assert [(clip.clip, clip.target_id) for clip in clips] == [
        ("list/faces/1", "list/faces/1.png"),
        ("list/faces/2", "list/faces/2.png"),
    ]


def test_parts_of_a_video_are_clips_with_ranges(root: Path) -> None:
    text = "path,label,clip,start,stop\na.mp4,fake,a-fake,20,30\na.mp4,real,a-real,10,20\na.mp4,fake,a-fake,0,10\n"
    clips = {clip.clip: (clip.label, clip.ranges, clip.paths) for clip in read(root, text).clips}
    assert clips == {
        "list/a-fake": (1, ((0, 10), (20, 30)), ("a.mp4",)),
        "list/a-real": (0, ((10, 20),), ("a.mp4",)),
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.mp4,1,c,,0,9\na.mp4,1,d,,8,12", "lines 2 and 3 both take frame 8 of a.mp4"),
        ("a.mp4,1,,,0,9\na.mp4,0,,,10,12", "clip 'a.mp4' is real here and fake in line 2"),
        ("a.mp4,1,,,,\na.mp4,1,,,10,12", "a.mp4 is listed in line 2 already"),
        ("a.mp4,1,c,,,\nb.mp4,1,c,,,", "has b.mp4 here and a.mp4 in line 2"),
        ("faces/1.png,1,c,,,\nfaces/2.png,0,c,,,", "clip 'c' is real here and fake in line 2"),
        ("faces/1.png,1,c,3,,\nfaces/2.png,1,c,,,", "numbers some of its frames alone"),
        ("faces,1,,,,\nfaces/2.png,1,,,,", "faces/2.png is listed in line 2 already"),
        ("faces/1.png,1,,4,,", "frame 4 of no clip"),
        ("faces,1,,4,,", "stands beside a folder"),
        ("a.mp4,1,,4,,", "frame 4 of a video"),
    ],
)
def test_rows_that_do_not_fit_together_are_refused(root: Path, rows: str, message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        read(root, f"path,label,clip,frame,start,stop\n{rows}\n")


def test_a_clip_has_one_split_and_one_identity(root: Path) -> None:
    with pytest.raises(LayoutError, match="clip 'c' has split 'test' here and 'train' in line 2"):
        read(root, "path,label,clip,split\nfaces/1.png,1,c,train\nfaces/2.png,1,c,test\n")


def test_images_may_lie_in_an_archive(root: Path) -> None:
    clip = one(root, "path,label,clip,archive\n7/2.png,0,s7,seqs.tar.gz\n7/1.png,0,s7,seqs.tar.gz\n")
    assert (clip.archive, clip.paths, clip.source_bytes) == ("seqs.tar.gz", ("7/1.png", "7/2.png"), 5)
    with pytest.raises(LayoutError, match="video in an archive"):
        read(root, "path,label,archive\nv.mp4,0,seqs.tar.gz\n")
    with pytest.raises(LayoutError, match=r"a\.mp4 is no archive"):
        read(root, "path,label,archive\n1.png,0,a.mp4\n")


def test_listed_files_that_are_not_there_are_missing_and_the_rest_goes_on(root: Path) -> None:
    found = read(root, "path,label,clip\na.mp4,0,\ngone.mp4,1,\nfaces/1.png,1,c\nfaces/3.png,1,c\n")
    assert [clip.paths for clip in found.clips] == [("a.mp4",), ("faces/1.png",)]
    assert found.missing == ("faces/3.png", "gone.mp4")
    assert "2 listed files are not in the tree (first: faces/3.png)" in found.notes


def test_a_list_of_which_nothing_is_there_names_the_root_and_the_option(root: Path) -> None:
    with pytest.raises(LayoutError, match=r"none of the 2 files .* lies below .*first: else/a\.mp4.*--root"):
        read(root, "path,label\nelse/a.mp4,0\nelse/b.mp4,0\n")
    with pytest.raises(LayoutError, match="lists no file"):
        read(root, "path,label\n")


def test_an_absolute_path_below_the_root_and_backslashes_are_accepted(root: Path) -> None:
    clips = read(root, f"path,label\n{root}/a.mp4,0\nfaces\\1.png,0\n./b.mp4,0\n").clips
    assert sorted(clip.paths[0] for clip in clips) == ["a.mp4", "b.mp4", "faces/1.png"]


def test_no_split_is_derived_and_a_mix_is_said(root: Path) -> None:
    assert read(root, "path,label\na.mp4,0\n").split_origin == "derived by identity"
    assert read(root, "path,label,split\na.mp4,0,TEST\n").split_origin == "the list's"
    found = read(root, "path,label,split\na.mp4,0,test\nb.mp4,0,\n")
    assert found.split_origin == "the list's; derived by identity for 1 of 2 clips"
    assert any("1 of 2 clips have no split" in note for note in found.notes)


def test_unknown_columns_and_a_list_without_reals_are_said(root: Path) -> None:
    found = read(root, "path,label,age\na.mp4,1,7\n")
    assert found.notes == (
        "columns that dfx does not know are left out: age",
        "no row is real: every clip counts as a fake",
    )


def test_what_an_export_wrote_beside_the_manifests_columns_is_no_unknown_column(root: Path) -> None:
    def notes(columns: str) -> list[str]:
        values = ",".join("" for _ in columns.split(","))
        found = read(root, f"path,label,{columns}\na.mp4,0,{values}\n")
        return [note for note in found.notes if "does not know" in note]

    assert notes("key,xxh3,ext,category,face,box_x0,score,origin,group,width,height") == []
    assert notes("key,xxh3,score,age") == ["columns that dfx does not know are left out: age"]
    assert notes("score") == ["columns that dfx does not know are left out: score"]  # somebody else's


def test_the_dataset_is_the_column_or_the_name_given_or_the_lists_name(root: Path) -> None:
    text = "path,label,dataset\na.mp4,0,\nb.mp4,0,other\n"
    assert {clip.dataset for clip in read(root, text).clips} == {"list", "other"}
    assert {clip.dataset for clip in read(root, text, name="mine").clips} == {"mine", "other"}


def test_what_a_store_writes_about_its_clips_is_read_back_with_the_same_names(root: Path) -> None:
    clip = one(
        root,
        "path,label,method,split,target_id,source_id,quality,clip,dataset,raw_method,frame\n"
        "faces/1.png,1,Celeb-DF,none,celeb-df/id0,celeb-df/id1,,celeb-df/Celeb-synthesis/a%20b%2Ec,celeb-df,"
        "Celeb-synthesis,4\n",
    )
    assert (clip.clip, clip.target_id, clip.source_id) == (
        "celeb-df/Celeb-synthesis/a%20b%2Ec",
        "celeb-df/id0",
        "celeb-df/id1",
    )
    assert (clip.split, clip.method, clip.raw_method, clip.category) == (
        *("none", "Celeb-DF", "Celeb-synthesis", "face swap"),
    )


def test_parquet_is_read_with_numbers_and_nulls_as_csv_is(root: Path) -> None:
    columns = {
        "Path": ["faces/1.png", "faces/2.png", "a.mp4"],
        "label": [1, 1, 0],
        "frame": [4.0, 3.0, None],
        "clip": ["c", "c", None],
        "split": pa.array(["train", "train", "test"]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), root / "list.parquet")
    from_parquet = scan("manifest", root, ScanOptions(listing=str(root / "list.parquet")))
    from_csv = read(
        root, "path,label,frame,clip,split\nfaces/1.png,1,4,c,train\nfaces/2.png,1,3,c,train\na.mp4,0,,,test\n"
    )
    assert from_parquet == from_csv
    assert from_csv.clips[1].paths == ("faces/2.png", "faces/1.png")


def test_a_wrong_row_of_a_parquet_file_is_named_by_its_number(root: Path) -> None:
    pq.write_table(pa.table({"path": ["a.mp4", "b.mp4"], "label": [0, 7]}), root / "list.parquet")
    with pytest.raises(LayoutError, match=r"list\.parquet row 2: label '7'"):
        scan("manifest", root, ScanOptions(listing=str(root / "list.parquet")))


def test_a_list_says_what_the_files_are_even_in_another_datasets_tree(root: Path) -> None:
    (root / "Celeb-real").mkdir()
    (root / "Celeb-real/id0_0000.mp4").touch()
    assert one(root, "path,label\nCeleb-real/id0_0000.mp4,real\n").label == 0


def test_a_manifest_needs_its_list_and_others_take_none(root: Path) -> None:
    with pytest.raises(LayoutError, match="dfx shard manifest FILE"):
        scan("manifest", root, ScanOptions())
    with pytest.raises(LayoutError, match="folder reads no list"):
        scan("folder", root, ScanOptions(listing="list.csv"))
    with pytest.raises(LayoutError, match=r"--from deepfakebench is for layouts of several forms \(.*manifest\)"):
        scan("images", root, ScanOptions(form="deepfakebench"))


names = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r\n/\\", exclude_categories=["Cs", "Cc"]), min_size=1
)


@given(stems=st.lists(names.map(str.strip).filter(lambda name: name.strip(". ")), min_size=1, max_size=8, unique=True))
def test_any_names_come_back_whole_and_apart(stems: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    paths = [f"d/{stem}.png" for stem in stems]
    listing = tmp_path_factory.mktemp("any") / "list.csv"
    with listing.open("w", newline="") as stream:
        csv.writer(stream).writerows([Row._fields[:2], *((path, "real") for path in paths)])
    tree = SourceTree(listing.parent, dict.fromkeys(paths, 1))
    clips = scan_tree(LAYOUT, tree, ScanOptions(listing=str(listing))).clips
    assert sorted(clip.paths[0] for clip in clips) == sorted(paths)
    assert len({clip.clip for clip in clips}) == len(paths)


def test_the_parts_of_a_video_are_one_identity_whatever_their_clips_are_called(root: Path) -> None:
    found = read(root, "path,label,start,stop,clip\na.mp4,real,0,10,before\na.mp4,fake,10,20,within\n")
    assert {clip.target_id for clip in found.clips} == {"list/a.mp4"}


def test_a_folder_of_frames_may_be_named_like_a_video(root: Path) -> None:
    (root / "frames/c.mp4").mkdir(parents=True)
    (root / "frames/c.mp4/1.png").write_bytes(b"12345")
    assert one(root, "path,label\nframes/c.mp4,real\n").paths == ("frames/c.mp4/1.png",)


@pytest.mark.parametrize("row", ["a.mp4,,0,{},", "x/1.png,c,,,{}"])
def test_a_number_of_absurd_length_is_an_error_of_one_line(root: Path, row: str) -> None:
    with pytest.raises(LayoutError, match="give a whole number from 0"):
        read(root, "path,clip,start,stop,frame,label\n" + row.format("9" * 5000) + ",real\n")


def test_a_method_called_original_needs_a_label(root: Path) -> None:
    with pytest.raises(LayoutError, match="line 2: the method 'original' does not say whether it is real or fake"):
        read(root, "path,method\na.mp4,original\n")
    assert one(root, "path,label,method\na.mp4,fake,original\n").label == 1
    assert one(root, "path,method\na.mp4,original\n", name="ff++").label == 0
