"""DF-Platter's frames."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataengine.convert import convert
from dataengine.errors import DfxError, LayoutError
from dataengine.layouts import scan
from dataengine.layouts.scan import Scan, ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.settings import ExtractSettings
from tests.dataengine.layouts.conftest import Miniature, touch

REAL = "frames_C23/real/HR/male/100"
FAKE = "frames_C23/SetA/fsgan/LR/male/100_110"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in (REAL, FAKE):
        name = folder.rpartition("/")[2]
        touch(tmp_path, *(f"{folder}/{name}_frame_{n}.jpg" for n in (0, 10, 9)))
    return tmp_path


def scanned(root: Path, **options: str) -> Scan:
    return scan("df-platter", root, ScanOptions(**options))  # type: ignore[arg-type]


def test_a_folder_of_frames_is_a_clip_in_the_order_of_its_numbers(root: Path) -> None:
    clips = {clip.paths[0].rpartition("/")[0]: clip for clip in scanned(root).clips}
    assert clips[FAKE].paths == tuple(f"{FAKE}/100_110_frame_{n}.jpg" for n in (0, 9, 10))
    assert (clips[FAKE].method, clips[FAKE].label, clips[FAKE].quality) == ("FSGAN", 1, "c23-lr")
    assert (clips[FAKE].target_id, clips[FAKE].source_id) == ("df-platter/100", "df-platter/110")
    assert (clips[REAL].label, clips[REAL].target_id, clips[REAL].quality) == (0, "df-platter/100", "c23-hr")


def test_sets_of_several_faces_are_in_no_clip_and_said(root: Path) -> None:
    touch(root, "frames_C23/SetB/x/x_frame_0.jpg", "frames_C23/real_SetC/y/y_frame_0.jpg")
    found = scanned(root)
    assert len(found.clips) == 2
    assert found.unexpected == ("frames_C23/SetB/x/x_frame_0.jpg", "frames_C23/real_SetC/y/y_frame_0.jpg")
    assert "real faces beside fake ones" in found.notes[0]


@pytest.mark.parametrize(
    "path",
    [
        "frames_C23/Train/fake/x/x_frame_0.jpg",
        "frames_C23/SetA/fsgan/MR/male/1_2/1_2_frame_0.jpg",
        "frames_C23/SetA/fsgan/HR/male/1_2/0.jpg",
        "frames_C23/SetA/fsgan/HR/male/1/1_frame_0.jpg",
    ],
)
def test_what_the_authors_code_does_not_have_is_an_error_that_names_the_way_out(path: str, root: Path) -> None:
    touch(root, path)
    with pytest.raises(LayoutError, match="use `dfx shard manifest`"):
        scanned(root)


def test_a_method_that_df_platter_does_not_have_is_an_error(root: Path) -> None:
    touch(root, "frames_C23/SetA/simswap/HR/male/1_2/1_2_frame_0.jpg")
    with pytest.raises(LayoutError, match="no method 'simswap'"):
        scanned(root)


def test_an_absent_quality_names_one_that_is_there(root: Path) -> None:
    with pytest.raises(LayoutError, match="holds no c40 frames; take --quality c23"):
        scanned(root, quality="c40")
    with pytest.raises(DfxError, match="unknown quality of df-platter 'raw'"):
        scanned(root, quality="raw")


def test_the_raw_videos_tree_is_refused_with_what_is_expected(tmp_path: Path) -> None:
    touch(tmp_path, "C0/C0/Train/fake/x.mp4")
    with pytest.raises(LayoutError, match=r"frames_C0/.*use `dfx shard manifest`"):
        scanned(tmp_path)


def test_the_miniature_converts(miniature: Miniature, tmp_path: Path) -> None:
    settings = ConvertSettings(extract=ExtractSettings(faces="none"))
    store = convert("df-platter", miniature("df-platter"), tmp_path / "out", settings, ScanOptions()).store
    rows = store.clips().to_pylist()
    assert (
        sorted(row["raw_method"] for row in rows)
        == ["faceshifter"] * 2 + ["faceswap"] * 2 + ["fsgan"] * 2 + ["real"] * 2
    )
    assert {row["samples"] for row in rows} == {2}
