"""DFDM's tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataengine.convert import convert
from dataengine.errors import DfxError, LayoutError
from dataengine.layouts import scan
from dataengine.layouts.dfdm import LAYOUT
from dataengine.layouts.scan import Scan, ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.settings import ExtractSettings
from tests.dataengine.layouts.conftest import Miniature, touch


def scanned(root: Path, **options: str) -> Scan:
    return scan("dfdm", root, ScanOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tag", "raw_method"),
    [
        ("1original", "Faceswap"),
        ("2lightweight", "Lightweight"),
        ("3iae", "IAE"),
        ("4dfaker", "Dfaker"),
        ("5dfl-h128", "DFL-H128"),
        ("5dfl_h128", "DFL-H128"),
    ],
)
def test_the_tag_of_a_name_is_its_model_and_original_is_no_real(tag: str, raw_method: str, tmp_path: Path) -> None:
    touch(tmp_path, f"DFDM_crf23/any/folder/id28_id20_0008_{tag}.mp4")
    (clip,) = scanned(tmp_path).clips
    assert (clip.raw_method, clip.method, clip.label) == (raw_method, f"DFDM-{raw_method}", 1)
    assert (clip.target_id, clip.source_id, clip.quality) == ("celeb-df/id28", "celeb-df/id20", "crf23")


def test_one_compression_is_taken_and_an_absent_one_names_one_that_is_there(tmp_path: Path) -> None:
    touch(tmp_path, "DFDM_crf0/id0_id1_0000_3iae.mp4", "DFDM_crf10/id0_id1_0000_3iae.mp4")
    assert [clip.quality for clip in scanned(tmp_path, quality="crf10").clips] == ["crf10"]
    with pytest.raises(LayoutError, match="holds no crf23 videos; take --quality crf0"):
        scanned(tmp_path)
    with pytest.raises(DfxError, match="unknown quality of dfdm 'c23'"):
        scanned(tmp_path, quality="c23")


@pytest.mark.parametrize("name", ["id0_id1_0000.mp4", "id0_id1_0000_6other.mp4", "000_003.mp4"])
def test_a_name_without_a_known_model_is_an_error_never_a_label(name: str, tmp_path: Path) -> None:
    touch(tmp_path, f"DFDM_crf23/{name}")
    with pytest.raises(LayoutError, match=name):
        scanned(tmp_path)


def test_one_video_in_two_folders_does_not_count_twice(tmp_path: Path) -> None:
    touch(tmp_path, "DFDM_crf23/a/id0_id1_0000_3iae.mp4", "DFDM_crf23/b/id0_id1_0000_3iae.mp4")
    with pytest.raises(LayoutError, match="are one video of dfdm"):
        scanned(tmp_path)


def test_the_store_of_the_reals_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "DFDM_crf23/id0_id1_0000_3iae.mp4")
    assert LAYOUT.reals == "celeb-df"
    assert "dfx shard celeb-df" in scanned(tmp_path).notes[0]


def test_the_miniature_converts(miniature: Miniature, tmp_path: Path) -> None:
    settings = ConvertSettings(extract=ExtractSettings(faces="none"))
    store = convert("dfdm", miniature("dfdm"), tmp_path / "out", settings, ScanOptions()).store
    rows = store.clips().to_pylist()
    assert len(rows) == 10
    assert {(row["label"], row["samples"]) for row in rows} == {(1, 2)}
    assert len({row["method"] for row in rows}) == 5


def test_one_video_under_two_spellings_of_its_model_does_not_count_twice(tmp_path: Path) -> None:
    touch(tmp_path, "DFDM_crf23/id0_id1_0000_1original.mp4", "DFDM_crf23/id0_id1_0000_Faceswap.mp4")
    with pytest.raises(LayoutError, match="are one video of dfdm"):
        scanned(tmp_path)
