"""DFDC's tree: parts, two further sets, and lists of two kinds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dataengine.errors import LayoutError
from dataengine.layouts import scan
from dataengine.layouts.scan import Scan, ScanOptions
from dataengine.records import Clip
from dataengine.splits import derive

REAL = {"label": "REAL", "split": "train"}


def fake(original: str | None) -> dict[str, Any]:
    return {"label": "FAKE", "split": "train", "original": original}


PARTS = {
    "dfdc_train_part_0": {"real.mp4": REAL, "fake.mp4": fake("real.mp4"), "other.mp4": fake("far.mp4")},
    "dfdc_train_part_49": {"far.mp4": REAL, "gone.mp4": fake("far.mp4")},
}


def put(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def put_parts(root: Path, parts: Mapping[str, Mapping[str, Any]]) -> None:
    for part, entries in parts.items():
        put(root, f"{part}/metadata.json", json.dumps(entries))
        for name in entries:
            if name != "gone.mp4":
                put(root, f"{part}/{name}")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put_parts(tmp_path, PARTS)
    return tmp_path


def read(root: Path) -> Scan:
    return scan("dfdc", root, ScanOptions())


def by_name(found: Scan) -> dict[str, Clip]:
    return {clip.paths[0].rpartition("/")[2]: clip for clip in found.clips}


def test_a_fake_and_its_original_are_one_identity_in_whatever_part_they_are(root: Path) -> None:
    clips = by_name(read(root))
    assert clips["fake.mp4"].group == clips["real.mp4"].group == "dfdc/real"
    assert clips["other.mp4"].group == clips["far.mp4"].group == "dfdc/far"
    assert (clips["fake.mp4"].label, clips["fake.mp4"].method, clips["fake.mp4"].category) == (1, "DFDC", "unknown")
    assert (clips["real.mp4"].label, clips["real.mp4"].raw_method) == (0, "REAL")


def test_no_footage_is_in_two_derived_splits(tmp_path: Path) -> None:
    reals: dict[str, Any] = {f"real{i}.mp4": REAL for i in range(30)}
    fakes = {f"fake{i}-{k}.mp4": fake(f"real{i}.mp4") for i in range(30) for k in range(2)}
    put_parts(tmp_path, {"train/dfdc_train_part_3": {**reals, **fakes}})
    clips = derive(read(tmp_path).clips, seed=0)
    splits = {group: {clip.split for clip in clips if clip.group == group} for group in {clip.group for clip in clips}}
    assert {len(found) for found in splits.values()} == {1}
    assert {clip.split for clip in clips} == {"train", "val", "test"}


def test_listed_videos_that_are_gone_and_videos_in_no_list_are_named_and_in_no_clip(root: Path) -> None:
    put(root, "dfdc_train_part_0/stray.mp4")
    put(root, "elsewhere/another.mp4")
    found = read(root)
    assert found.missing == ("dfdc_train_part_49/gone.mp4",)
    assert found.unexpected == ("dfdc_train_part_0/stray.mp4", "elsewhere/another.mp4")
    assert set(by_name(found)) == {"real.mp4", "fake.mp4", "other.mp4", "far.mp4"}


@pytest.mark.parametrize("table", ["labels.csv", "label.csv"])
def test_labels_of_a_set_are_read_from_a_table_or_from_is_fake(root: Path, table: str) -> None:
    put(root, f"validation/{table}", "filename,label\nva.mp4,1\nvb.mp4,0\n")
    put(root, "test/metadata.json", json.dumps({"ta.mp4": {"is_fake": 1}, "tb.mp4": {"is_fake": 0}}))
    for path in ("validation/va.mp4", "validation/vb.mp4", "test/ta.mp4", "test/tb.mp4"):
        put(root, path)
    clips = by_name(read(root))
    assert {name: (clips[name].split, clips[name].label) for name in ("va.mp4", "vb.mp4", "ta.mp4", "tb.mp4")} == {
        "va.mp4": ("val", 1),
        "vb.mp4": ("val", 0),
        "ta.mp4": ("test", 1),
        "tb.mp4": ("test", 0),
    }
    assert clips["fake.mp4"].split == "train"


def test_a_split_without_its_set_is_left_to_derive(root: Path) -> None:
    put(root, "test/labels.csv", "filename,label\nta.mp4,1\n")
    put(root, "test/ta.mp4")
    found = read(root)
    assert {name: clip.split for name, clip in by_name(found).items()} == {
        "ta.mp4": "test",
        **dict.fromkeys(("real.mp4", "fake.mp4", "other.mp4", "far.mp4"), ""),
    }
    assert found.split_origin.startswith("official test set; the others derived")


def test_two_lists_of_a_set_must_agree(root: Path) -> None:
    put(root, "test/labels.csv", "filename,label\nta.mp4,1\n")
    put(root, "test/metadata.json", json.dumps({"ta.mp4": {"is_fake": 0}}))
    with pytest.raises(LayoutError, match=r"test/metadata\.json says that ta\.mp4 is REAL"):
        read(root)


def test_parts_that_are_not_there_and_originals_that_no_list_has_are_noted(root: Path) -> None:
    put_parts(root, {"dfdc_train_part_1": {"lone.mp4": fake("nowhere.mp4"), "none.mp4": fake(None)}})
    found = read(root)
    assert by_name(found)["lone.mp4"].group == "dfdc/nowhere"
    assert by_name(found)["none.mp4"].group == "dfdc/none"
    assert any(note.startswith("47 of the 50 training parts are not in the tree (first: 2)") for note in found.notes)
    assert any(note.startswith("1 fakes name an original that no list has") for note in found.notes)
    assert any(note.startswith("1 fakes name no original") for note in found.notes)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"a.mp4": {"label": "UNKNOWN"}}, r"a\.mp4 has the label 'UNKNOWN'"),
        ({"a.mp4": {}}, r"a\.mp4 has the label None"),
        ({"a.mp4": {"label": "REAL", "original": "b.mp4"}}, r"a\.mp4 is REAL and names as its original 'b\.mp4'"),
        ({"a.mp4": fake("b.mp4"), "b.mp4": fake("c.mp4")}, r"original b\.mp4, which is FAKE"),
        ({"a.mp4": 1}, r"a\.mp4 is no object with a label"),
        ({"../a.mp4": REAL}, "no path below the dataset's folder"),
        ({"far.mp4": REAL}, r"far\.mp4 and .*far\.mp4 have one name"),
        (["a.mp4"], "is no object of videos"),
    ],
)
def test_a_part_that_contradicts_itself_is_refused(root: Path, entries: Any, says: str) -> None:
    put(root, "dfdc_train_part_5/metadata.json", json.dumps(entries))
    with pytest.raises(LayoutError, match=says):
        read(root)


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("dfdc_train_part_0/metadata.json", '{"a.mp4": {', r"metadata\.json is not valid JSON"),
        ("validation/labels.csv", "filename,label\na.mp4,FAKE\n", "line 2 has the label 'FAKE'"),
        ("validation/labels.csv", "name,label\na.mp4,1\n", "has no column filename"),
        ("test/metadata.json", '{"a.mp4": {"is_fake": 2}}', r"a\.mp4 has is_fake 2"),
        ("test/metadata.json", '{"a.mp4": {}}', r"a\.mp4 has is_fake None"),
        ("test/a.mp4", "", "neither labels.csv nor metadata.json"),
        ("dfdc_train_part_7/a.mp4", "", r"dfdc_train_part_7/metadata\.json is missing"),
    ],
)
def test_a_list_that_is_broken_or_missing_is_refused(root: Path, path: str, text: str, says: str) -> None:
    put(root, path, text)
    with pytest.raises(LayoutError, match=says):
        read(root)


def test_a_tree_without_any_listed_video_says_which_are_asked_for(tmp_path: Path) -> None:
    put_parts(tmp_path, {"dfdc_train_part_0": {"a.mp4": {"label": "REAL"}}})
    (tmp_path / "dfdc_train_part_0/a.mp4").unlink()
    with pytest.raises(LayoutError, match=r"none of the 1 files .*first: dfdc_train_part_0/a\.mp4"):
        read(tmp_path)
