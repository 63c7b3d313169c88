"""A part of a store, and the parts together."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.errors import DfxError, StoreError
from dataengine.operations.filter import filter_store
from dataengine.operations.merge import merge
from dataengine.operations.verify import verify
from dataengine.store import Store

WHERE = st.sampled_from(
    ["label == 1", "method in ('real', 'FaceSwap')", "split == 'train'", "clip < 'mini/FaceSwap/004'"]
)


@settings(max_examples=3)
@given(where=WHERE)
def test_the_two_halves_of_a_filter_merged_have_the_fingerprint_of_the_whole(failing_store: Store, where: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        halves = [
            filter_store(failing_store, Path(folder) / f"{number}", text).store
            for number, text in enumerate((where, f"not ({where})"))
        ]
        whole = merge(halves, Path(folder) / "whole").store
        assert sum(half.index().num_rows for half in halves) == whole.index().num_rows
        assert whole.fingerprint == failing_store.fingerprint
        assert verify(whole).findings == ()


def test_clips_without_samples_are_counted_in_a_note_and_the_others_kept(failing_store: Store, tmp_path: Path) -> None:
    store = filter_store(failing_store, tmp_path / "part", "method == 'real' and frame == 1").store
    assert store.clips().num_rows == 8
    assert set(store.clips()["samples"].to_pylist()) == {1}
    assert set(store.clips()["frames_asked"].to_pylist()) == {2}
    (note,) = store.meta["notes"]
    counts = "8 of 48 images; 17 of 25 clips have none left, 1 of them had none before (failed)"
    assert note == f"filtered by `method == 'real' and frame == 1`: {counts}"
    assert [entry["method"] for entry in store.meta["taxonomy"]] == ["real"]


def test_an_expression_that_leaves_nothing_writes_nothing(failing_store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no sample for which width > 1000; nothing is stored"):
        filter_store(failing_store, tmp_path / "part", "width > 1000")
    with pytest.raises(DfxError, match="unknown column"):
        filter_store(failing_store, tmp_path / "part", "widht > 1000")
    assert not (tmp_path / "part").exists()
