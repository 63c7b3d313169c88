"""Several stores as one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dataengine.convert import convert
from dataengine.errors import StoreError
from dataengine.layouts.scan import ScanOptions
from dataengine.operations.filter import filter_store
from dataengine.operations.merge import merge
from dataengine.operations.verify import verify
from dataengine.settings import ExtractSettings
from dataengine.store import Store, open_store
from tests.conftest import UNTOUCHED
from tests.dataengine.operations.harm import contents


@pytest.fixture(scope="module")
def others(failing_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The same images under another name and other settings."""
    other = replace(UNTOUCHED, extract=ExtractSettings(faces="none", frames=8))
    out = tmp_path_factory.mktemp("shards") / "others"
    return convert("folder", failing_tree, out, other, ScanOptions(name="others")).store


def test_the_merged_store_holds_every_sample_and_every_clip(
    failing_store: Store, others: Store, tmp_path: Path
) -> None:
    store = merge([failing_store, others], tmp_path / "both").store
    keys = [*failing_store.index()["key"].to_pylist(), *others.index()["key"].to_pylist()]
    assert sorted(store.index()["key"].to_pylist()) == sorted(keys)
    clips = store.clips().to_pylist()
    assert len(clips) == 50
    assert [row["clip"] for row in clips if row["status"] == "failed"] == ["mini/real/broken", "others/real/broken"]
    assert {entry["dataset"] for entry in store.meta["taxonomy"]} == {"mini", "others"}
    assert verify(store, "decode").findings == ()


def test_the_order_of_the_stores_changes_nothing(failing_store: Store, others: Store, tmp_path: Path) -> None:
    one = contents(Path(str(merge([failing_store, others], tmp_path / "one").store.root)))
    assert contents(Path(str(merge([others, failing_store], tmp_path / "two").store.root))) == one


def test_settings_that_differ_are_noted_and_not_passed_off_as_one(
    failing_store: Store, others: Store, tmp_path: Path
) -> None:
    meta = merge([failing_store, others], tmp_path / "both").store.meta
    assert "extract" not in meta["settings"]
    (note,) = meta["notes"]
    assert note.startswith("the merged stores differ in frames: ")
    assert {"32 (failing)", "8 (others)"} == set(note.partition(": ")[2].split(", "))


def test_a_note_says_which_of_the_merged_stores_it_is_about(failing_store: Store, tmp_path: Path) -> None:
    halves = [
        filter_store(failing_store, tmp_path / name, f"method {sign} 'real'").store
        for name, sign in (("reals", "=="), ("fakes", "!="))
    ]
    notes = merge(halves, tmp_path / "both").store.meta["notes"]
    own = [note for half in halves for note in half.meta["notes"]]
    assert sorted(notes) == sorted([f"reals: {own[0]}", f"fakes: {own[1]}"])
    assert "have none left" in notes[0]


def test_a_clip_that_two_stores_hold_is_refused_by_name(failing_store: Store, copy: Path, tmp_path: Path) -> None:
    first = failing_store.clips()["clip"][0].as_py()
    with pytest.raises(StoreError, match=f"both hold the clip {first}; leave one out"):
        merge([failing_store, open_store(copy)], tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_a_method_that_two_stores_take_for_different_ones_is_refused(
    failing_store: Store, others: Store, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(others.root, tmp_path / "other"))
    text = (other / "dataset.json").read_text().replace('"dataset": "others"', '"dataset": "mini"')
    meta = json.loads(text)
    next(entry for entry in meta["taxonomy"] if entry["method"] == "FaceSwap")["method"] = "Else"
    (other / "dataset.json").write_text(json.dumps(meta))
    with pytest.raises(StoreError, match=r"takes mini/FaceSwap for (FaceSwap|Else), .* for (FaceSwap|Else); "):
        merge([failing_store, open_store(other)], tmp_path / "both")


def test_one_store_alone_is_refused(failing_store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="name at least two"):
        merge([failing_store], tmp_path / "one")
