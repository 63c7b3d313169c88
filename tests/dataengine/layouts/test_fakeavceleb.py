"""FakeAVCeleb's tree and its table, whose path column holds no path."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataengine.errors import LayoutError
from dataengine.layouts import scan
from dataengine.layouts.scan import Scan, ScanOptions
from dataengine.records import Clip

HEADER = "source,target1,target2,method,category,type,race,gender,path,"
TYPES = {
    "A": "RealVideo-RealAudio",
    "B": "RealVideo-FakeAudio",
    "C": "FakeVideo-RealAudio",
    "D": "FakeVideo-FakeAudio",
}


def row(category: str, method: str, name: str, targets: str = "-,-", race: str = "Asian (East)") -> str:
    kind = TYPES[category]
    return f"id00056,{targets},{method},{category},{kind},{race},men,{name},FakeAVCeleb/{kind}/{race}/men/id00056"


ROWS = (
    row("A", "real", "00028.mp4"),
    row("B", "rtvc", "00028_fake.mp4"),
    row("C", "fsgan", "00028_3.mp4", "id02332,3"),
    row("D", "wav2lip", "00028_id02332_wavtolip.mp4", "7,-"),
    row("D", "faceswap-wav2lip", "00028_7_id00476_wavtolip.mp4", "id00476,7"),
)


def put(root: Path, *rows: str, header: str = HEADER) -> Path:
    for line in ROWS:
        fields = line.split(",")
        path = root / fields[9].removeprefix("FakeAVCeleb/") / fields[8]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "meta_data.csv").write_text("\n".join((header, *(rows or ROWS))) + "\n")
    return root


def read(root: Path) -> Scan:
    return scan("fakeavceleb", root, ScanOptions())


def by_name(found: Scan) -> dict[str, Clip]:
    return {clip.paths[0].rpartition("/")[2]: clip for clip in found.clips}


def test_files_are_found_by_the_column_without_a_name_below_a_root_of_any_name(tmp_path: Path) -> None:
    found = read(put(tmp_path / "FakeAVCeleb_v1.2"))
    assert (found.missing, found.unexpected, len(found.clips)) == ((), (), 5)
    clip = by_name(found)["00028.mp4"]
    assert clip.paths == ("RealVideo-RealAudio/Asian (East)/men/id00056/00028.mp4",)
    assert clip.clip == "fakeavceleb/RealVideo-RealAudio/Asian%20%28East%29/men/id00056/00028"


def test_a_cloned_voice_over_real_pictures_is_real_and_said(tmp_path: Path) -> None:
    found = read(put(tmp_path))
    assert {name: clip.label for name, clip in by_name(found).items()} == {
        "00028.mp4": 0,
        "00028_fake.mp4": 0,
        "00028_3.mp4": 1,
        "00028_id02332_wavtolip.mp4": 1,
        "00028_7_id00476_wavtolip.mp4": 1,
    }
    assert by_name(found)["00028_fake.mp4"].raw_method == "rtvc"
    assert found.notes == ("1 videos of category B count as real: only their voice is fake (raw method rtvc)",)


def test_the_folder_is_the_target_and_the_other_person_comes_from_the_columns_or_the_name(tmp_path: Path) -> None:
    clips = by_name(read(put(tmp_path)))
    assert {clip.target_id for clip in clips.values()} == {"fakeavceleb/id00056"}
    assert clips["00028_3.mp4"].source_id == "fakeavceleb/id02332"
    assert clips["00028_id02332_wavtolip.mp4"].source_id == "fakeavceleb/id02332"
    assert clips["00028.mp4"].source_id == clips["00028_fake.mp4"].source_id == ""


@pytest.mark.parametrize("first", [True, False])
def test_a_file_of_two_rows_is_one_clip_of_the_longer_chain_whichever_row_comes_first(
    tmp_path: Path, first: bool
) -> None:
    again = row("D", "wav2lip", "00028_7_id00476_wavtolip.mp4", "id00476,7")
    found = read(put(tmp_path, *((again, *ROWS) if first else (*ROWS, again))))
    assert len(found.clips) == 5
    assert by_name(found)["00028_7_id00476_wavtolip.mp4"].raw_method == "faceswap-wav2lip"
    assert found.notes[0].startswith("1 files stand in several rows of meta_data.csv")


def test_missing_and_unlisted_videos_are_named(tmp_path: Path) -> None:
    put(tmp_path, *ROWS[1:], row("A", "real", "00099.mp4"))
    found = read(tmp_path)
    folder = "RealVideo-RealAudio/Asian (East)/men/id00056"
    assert (found.missing, found.unexpected) == ((f"{folder}/00099.mp4",), (f"{folder}/00028.mp4",))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (row("C", "rtvc", "a.mp4"), "line 2: the method 'rtvc' is none of category C"),
        (row("B", "wav2lip", "a.mp4"), "the method 'wav2lip' is none of category B"),
        (row("D", "deepfake", "a.mp4"), "line 2: fakeavceleb has no method 'deepfake'"),
        (row("C", "fsgan", "a.mp4").replace(",C,", ",D,"), "category 'D', type 'FakeVideo-RealAudio'"),
        (row("A", "real", "a.mp4").replace("FakeAVCeleb/", "v2/"), "is not FakeAVCeleb/TYPE/RACE/GENDER/idNNNNN"),
        (row("A", "real", "../../a.mp4"), "no path below"),
        (row("A", "real", "a.mp4") + ",x", "line 2 has 11 fields"),
    ],
)
def test_a_row_whose_columns_disagree_is_refused_by_its_line(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(LayoutError, match=says):
        read(put(tmp_path, line))


def test_two_rows_of_a_file_that_are_no_chain_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"line 7: '00028_3\.mp4' is 'faceswap' here and 'fsgan'"):
        read(put(tmp_path, *ROWS, row("C", "faceswap", "00028_3.mp4")))


def test_a_table_without_the_unnamed_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="has no column"):
        read(put(tmp_path, header=HEADER.rstrip(",") + ",folder"))
