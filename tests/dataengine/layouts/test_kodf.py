"""KoDF's tables and videos."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from dataengine.convert import convert
from dataengine.errors import LayoutError
from dataengine.layouts import scan
from dataengine.layouts.scan import Scan, ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.settings import ExtractSettings
from tests.dataengine.layouts.conftest import Miniature, touch

REALS = "영상ID,UUID,인물성별,촬영장소\n aa_001.mp4,aa,여성,실내\nbb_001.mp4,bb,남성,실외\n"
FAKES = (
    "영상ID,타겟영상,타겟UUID,소스UUID,변조모델\n"
    "aa_bb_1_0001.mp4,aa_001.mp4,aa,bb,dfl\n"
    "aa_cc_5_0002,x,aa,cc,audio-driven\n"
)
META = "1.Training/라벨링데이터/train_meta_data"
REAL_TABLE, FAKE_TABLE = (f"{META}/{kind}영상_training_메타데이터.csv" for kind in ("원본", "변조"))
VIDEOS = (
    "1.Training/원천데이터/train_원본/원본1/aa/aa_001.mp4",
    "2.Validation/원천데이터/bb_001.mp4",
    "1.Training/원천데이터/train_변조/dfl1/aa/aa_bb_1_0001.mp4",
    "1.Training/원천데이터/train_변조/audio_driven1/aa/aa_cc_5_0002.mp4",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    touch(tmp_path, *VIDEOS, REAL_TABLE, FAKE_TABLE)
    write_tables(tmp_path)
    return tmp_path


def write_tables(root: Path, encoding: str = "utf-8-sig", fakes: str = FAKES) -> None:
    (root / REAL_TABLE).write_text(REALS, encoding=encoding)
    (root / FAKE_TABLE).write_text(fakes, encoding=encoding)


def scanned(root: Path) -> Scan:
    return scan("kodf", root, ScanOptions())


def test_labels_methods_and_people_come_from_the_tables(root: Path) -> None:
    clips = {clip.paths[0]: clip for clip in scanned(root).clips}
    assert [(clips[path].label, clips[path].target_id, clips[path].source_id) for path in VIDEOS] == [
        (0, "kodf/aa", ""),
        (0, "kodf/bb", ""),
        (1, "kodf/aa", "kodf/bb"),
        (1, "kodf/aa", "kodf/cc"),
    ]
    assert clips[VIDEOS[2]].method == "KoDF-DeepFaceLab"
    assert clips[VIDEOS[3]].category == "talking head"
    assert {clip.split for clip in clips.values()} == {"train"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_tables_are_read_in_either_encoding(encoding: str, root: Path) -> None:
    before = scanned(root)
    write_tables(root, encoding)
    assert scanned(root) == before


def test_names_decomposed_as_macos_writes_them_are_the_same_names(root: Path) -> None:
    for path in (REAL_TABLE, FAKE_TABLE):
        (root / path).rename(root / META / unicodedata.normalize("NFD", Path(path).name))
    assert len(scanned(root).clips) == 4


def test_the_validation_tables_part_is_val(root: Path) -> None:
    for kind in ("원본", "변조"):
        (root / META / f"{kind}영상_training_메타데이터.csv").rename(root / f"{kind}영상_validation_메타데이터.csv")
    assert {clip.split for clip in scanned(root).clips} == {"val"}


def test_what_no_table_or_no_file_has_is_said(root: Path) -> None:
    hindering = "1.Training/원천데이터/train_탐지방해/변조영상/01_변조영상/aa_bb_1_0001.mp4"
    touch(root, "1.Training/stray.mp4", hindering)
    (root / VIDEOS[1]).unlink()
    found = scanned(root)
    assert len(found.clips) == 3
    assert (found.missing, found.unexpected) == (("bb_001.mp4",), ("1.Training/stray.mp4",))
    assert "1 videos changed to hinder detection" in found.notes[0]


def test_a_method_that_kodf_does_not_have_is_an_error(root: Path) -> None:
    write_tables(root, fakes=FAKES.replace("dfl", "simswap"))
    with pytest.raises(LayoutError, match="kodf has no method 'simswap'"):
        scanned(root)


def test_a_table_without_the_columns_is_an_error_that_names_them(root: Path) -> None:
    write_tables(root, fakes="folder,folder2,filename\na,b,c\n")
    with pytest.raises(LayoutError, match="has no column 영상ID, 타겟UUID, 소스UUID, 변조모델"):
        scanned(root)


def test_a_video_that_stands_twice_is_an_error(root: Path) -> None:
    touch(root, "again/aa_001.mp4")
    with pytest.raises(LayoutError, match="are one video of kodf"):
        scanned(root)
    (root / "again/aa_001.mp4").unlink()
    write_tables(root, fakes=FAKES + "aa_001.mp4,x,aa,cc,fo\n")
    with pytest.raises(LayoutError, match=r"line 2: the video 'aa_001\.mp4' is described twice"):
        scanned(root)


def test_another_tree_is_refused_with_the_way_out(tmp_path: Path) -> None:
    touch(tmp_path, "kodf/real/a.mp4")
    with pytest.raises(LayoutError, match=r"is no kodf tree.*use `dfx shard manifest`"):
        scanned(tmp_path)


def test_the_miniature_converts(miniature: Miniature, tmp_path: Path) -> None:
    settings = ConvertSettings(extract=ExtractSettings(faces="none"))
    store = convert("kodf", miniature("kodf"), tmp_path / "out", settings, ScanOptions()).store
    rows = store.clips().to_pylist()
    assert len(rows) == 12
    assert {(row["split"], row["samples"]) for row in rows} == {("train", 2)}
