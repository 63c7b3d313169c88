"""The DFDC preview's tree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dataengine.errors import LayoutError
from dataengine.layouts import scan
from dataengine.layouts.scan import Scan, ScanOptions

REAL = "original_videos/643049/643049_A_001.mp4"
FAKE_A = "method_A/643049/643049_A/1255229_643049_A_001.mp4"
FAKE_B = "method_B/1260311/1260311_C/1255229_1260311_C_001.mp4"


def about(label: str, where: str, target: Any, swapped: Any = None, **changed: Any) -> dict[str, Any]:
    facts = {"label": label, "set": where, "target_id": target, "swapped_id": swapped, "augmentations": []}
    return {**facts, **changed}


ENTRIES = {
    REAL: about("real", "train", "643049"),
    FAKE_A: about("fake", "train", 643049, 1255229),
    FAKE_B: about("fake", "test", "1260311", "1255229", augmentations=["resolution"]),
}


def put(root: Path, entries: Any, *paths: str) -> Path:
    for path in (*ENTRIES, *paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    (root / "dataset.json").write_text(json.dumps(entries))
    return root


def read(root: Path) -> Scan:
    return scan("dfdc-preview", root, ScanOptions())


def test_the_two_methods_are_two_classes_with_target_and_swapped_person(tmp_path: Path) -> None:
    clips = {clip.paths[0]: clip for clip in read(put(tmp_path, ENTRIES)).clips}
    assert [clips[path].method for path in ENTRIES] == ["real", "DFDC-preview-A", "DFDC-preview-B"]
    assert [clips[path].target_id.partition("/")[2] for path in ENTRIES] == ["643049", "643049", "1260311"]
    assert [clips[path].source_id for path in ENTRIES] == ["", "dfdc-preview/1255229", "dfdc-preview/1255229"]


def test_the_test_set_is_official_and_val_is_left_to_derive_from_train(tmp_path: Path) -> None:
    clips = {clip.paths[0]: clip for clip in read(put(tmp_path, ENTRIES)).clips}
    assert [clips[path].split for path in ENTRIES] == ["", "", "test"]
    assert [clips[path].quality for path in ENTRIES] == ["", "", "resolution"]


def test_missing_and_unlisted_videos_are_named(tmp_path: Path) -> None:
    put(tmp_path, ENTRIES, "method_A/1/stray.mp4")
    (tmp_path / FAKE_B).unlink()
    found = read(tmp_path)
    assert (found.missing, found.unexpected) == ((FAKE_B,), ("method_A/1/stray.mp4",))


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({REAL: about("fake", "train", "1", "2")}, "the label 'fake', which its folder denies"),
        ({FAKE_A: about("real", "train", "1")}, "the label 'real', which its folder denies"),
        ({REAL: about("real", "validation", "1")}, "the set 'validation'; it must be train or test"),
        ({FAKE_A: about("fake", "train", "1")}, "the swapped_id None"),
        ({REAL: about("real", "train", "")}, "the target_id ''"),
        ({REAL: about("real", "train", "1", augmentations="blur")}, "the augmentations 'blur'"),
        ({"method_C/1/a.mp4": about("fake", "train", "1", "2")}, "no video of original_videos, method_A, method_B"),
        ({REAL: "real"}, "no video of original_videos"),
        ({"../a.mp4": about("real", "train", "1")}, "no path below"),
        ([REAL], "no object of videos"),
    ],
)
def test_an_entry_that_is_not_as_promised_is_refused_by_name(tmp_path: Path, entries: Any, says: str) -> None:
    with pytest.raises(LayoutError, match=says):
        read(put(tmp_path, entries))
