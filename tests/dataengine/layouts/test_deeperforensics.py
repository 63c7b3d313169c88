"""DeeperForensics' tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataengine.convert import convert
from dataengine.errors import DfxError, LayoutError
from dataengine.layouts import scan
from dataengine.layouts.deeperforensics import LAYOUT
from dataengine.layouts.scan import Scan, ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.settings import ExtractSettings
from tests.dataengine.layouts.conftest import Miniature, touch

NAMES = {"train": "000_M101.mp4", "val": "001_W102.mp4", "test": "980_W010.mp4"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    touch(tmp_path, "source_videos/M101/light_up/happy/camera_front/M101_light_up_happy_camera_front.mp4")
    for split, name in NAMES.items():
        touch(tmp_path, f"manipulated_videos/end_to_end/{name}", f"manipulated_videos/end_to_end_level_3/{name}")
        touch(tmp_path, f"lists/splits/{split}.txt")
        (tmp_path / f"lists/splits/{split}.txt").write_text(f"{name}\n")
    return tmp_path


def scanned(root: Path, **options: str) -> Scan:
    return scan("deeperforensics", root, ScanOptions(**options))  # type: ignore[arg-type]


def test_a_fake_is_of_ffpps_footage_in_its_official_split(root: Path) -> None:
    clips = {clip.paths[0].rpartition("/")[2]: clip for clip in scanned(root).clips}
    assert {name: clip.split for name, clip in clips.items()} == {name: split for split, name in NAMES.items()}
    clip = clips["980_W010.mp4"]
    assert (clip.target_id, clip.source_id) == ("ff++/980", "deeperforensics/W010")
    assert (clip.method, clip.category, clip.quality) == ("DF-VAE", "face swap", "end_to_end")


def test_the_actors_recordings_are_never_reals(root: Path) -> None:
    found = scanned(root)
    assert {clip.label for clip in found.clips} == {1}
    assert LAYOUT.reals == "ff++"
    assert "dfx shard ff++" in found.notes[0]


def test_a_variant_is_the_quality_and_an_absent_one_names_one_that_is_there(root: Path) -> None:
    assert {clip.quality for clip in scanned(root, quality="end_to_end_level_3").clips} == {"end_to_end_level_3"}
    with pytest.raises(LayoutError, match="take --quality end_to_end"):
        scanned(root, quality="reenact_postprocess")
    with pytest.raises(DfxError, match="unknown variant of deeperforensics 'level_3'"):
        scanned(root, quality="level_3")


def test_a_folder_that_is_no_variant_is_an_error(root: Path) -> None:
    touch(root, "manipulated_videos/end_to_end_level_6/000_M101.mp4")
    with pytest.raises(LayoutError, match="end_to_end_level_6 is no variant"):
        scanned(root)


def test_listed_and_absent_and_misplaced_videos_are_said(root: Path) -> None:
    (root / "manipulated_videos/end_to_end/001_W102.mp4").unlink()
    touch(root, "manipulated_videos/end_to_end/more/001_W102.mp4")
    found = scanned(root)
    assert found.missing == ("manipulated_videos/end_to_end/001_W102.mp4",)
    assert found.unexpected == ("manipulated_videos/end_to_end/more/001_W102.mp4",)


@pytest.mark.parametrize(("name", "says"), [("002_M101.mp4", "in none of the split lists"), ("2_M1.mp4", "not named")])
def test_a_video_in_no_list_or_of_another_name_is_an_error(name: str, says: str, root: Path) -> None:
    touch(root, f"manipulated_videos/end_to_end/{name}")
    with pytest.raises(LayoutError, match=says):
        scanned(root)


def test_a_missing_or_contradictory_list_is_an_error(root: Path) -> None:
    (root / "lists/splits/val.txt").write_text("000_M101.mp4\n")
    with pytest.raises(LayoutError, match=r"lists 000_M101\.mp4, which is in train\.txt too"):
        scanned(root)
    (root / "lists/splits/val.txt").unlink()
    with pytest.raises(LayoutError, match=r"val\.txt is missing.*--splits DIR"):
        scanned(root)


def test_the_miniature_converts(miniature: Miniature, tmp_path: Path) -> None:
    settings = ConvertSettings(extract=ExtractSettings(faces="none"))
    root = miniature("deeperforensics")
    store = convert("deeperforensics", root, tmp_path / "out", settings, ScanOptions()).store
    assert [(row["label"], row["samples"]) for row in store.clips().to_pylist()] == [(1, 2)] * 2
