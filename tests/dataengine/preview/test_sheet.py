"""A store as a contact sheet, and one clip over time."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import DfxError, StoreError
from dataengine.preview import clip_named, clip_strips, draw_sheet, method_strips
from dataengine.preview.names import short_names
from dataengine.preview.samples import Picture, Strip
from dataengine.preview.sheet import fitted
from dataengine.selection import select
from dataengine.store import Store
from tests.dataengine.made import damage, jpeg, made_rows, picture, png
from tests.dataengine.stores import rewrite


def test_a_sheet_has_a_strip_a_method_with_the_real_one_first(mini_store: Store) -> None:
    strips = method_strips(select([str(mini_store.root)]), images=4)
    assert [strip.heading for strip in strips] == ["real", "Deepfakes", "FaceSwap"]
    assert {len(strip.pictures) for strip in strips} == {4}


def test_the_samples_of_a_strip_are_of_different_clips_while_there_are_any(mini_store: Store) -> None:
    (strip,) = method_strips(select([f"{mini_store.root}@method=real"]), images=50)
    names = [shown.lines[0] for shown in strip.pictures]
    assert len(names) == len(set(names)) == 12


def test_under_a_sample_stand_its_clip_split_frame_and_size(mini_store: Store) -> None:
    (strip,) = method_strips(select([f"{mini_store.root}@method=real@split=test"]), images=1)
    name, where, size = strip.pictures[0].lines
    assert len(name) == 3
    assert where.startswith("test, frame ")
    assert size == "48 × 48 px"


def test_another_seed_shows_other_samples(mini_store: Store) -> None:
    rows = select([str(mini_store.root)])
    first, again, other = (
        [shown.lines for strip in method_strips(rows, seed=seed) for shown in strip.pictures] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_images_are_shown_at_their_own_size_whatever_their_type(tmp_path: Path) -> None:
    rows = made_rows(tmp_path, [png(picture(1, 60, 30)), jpeg(picture(2, 20, 44))])
    strips = method_strips(rows)
    assert [strip.pictures[0].pixels.shape for strip in strips] == [(30, 60, 3), (44, 20, 3)]
    assert np.array_equal(strips[0].pictures[0].pixels, picture(1, 60, 30))


def test_a_damaged_sample_is_passed_over_in_a_sheet(tmp_path: Path) -> None:
    rows = made_rows(tmp_path, [jpeg(picture(i)) for i in range(4)], classes=("real",))
    for row in range(3):
        damage(rows, row, "byte")
    (strip,) = method_strips(rows)
    assert len(strip.pictures) == 1
    damage(rows, 3, "byte")
    with pytest.raises(DfxError, match="none can be read"):
        method_strips(rows)


def test_the_frames_of_a_clip_stand_in_their_order(mini_store: Store) -> None:
    clip = mini_store.clips()["clip"][0].as_py()
    (strip,) = clip_strips(str(mini_store.root), clip)
    assert [shown.lines[0] for shown in strip.pictures] == ["frame 0", "frame 1", "frame 2"]
    (strip,) = clip_strips(str(mini_store.root), clip, images=2)
    assert [shown.lines[0] for shown in strip.pictures] == ["frame 0", "frame 2"]
    assert strip.note.endswith("3 frames, 2 of them shown")


def test_a_frame_that_cannot_be_read_keeps_its_place(tmp_path: Path) -> None:
    rows = made_rows(tmp_path, [jpeg(picture(i)) for i in range(2)], classes=("real",))
    damage(rows, 0, "byte")
    (strip,) = clip_strips(str(rows.stores[0].root), rows.table["clip"][0].as_py())
    assert strip.pictures[0].pixels is None
    assert strip.pictures[0].lines[-1] == "cannot be read"


def test_a_clip_of_the_split_none_is_shown_too(mini_store: Store) -> None:
    clips = mini_store.clips()
    none = clips["clip"].filter(pa.compute.equal(clips["split"], "none"))[0].as_py()
    assert clip_strips(str(mini_store.root), none)[0].note.startswith("none, ")


def test_each_face_of_a_clip_has_a_strip_of_its_own(mini_store: Store, tmp_path: Path) -> None:
    clip = mini_store.clips()["clip"][0].as_py()

    def second_face(index: pa.Table) -> pa.Table:
        keys = [f"{clip}/000000-1" if key == f"{clip}/000001" else key for key in index["key"].to_pylist()]
        frames = [
            0 if key.endswith("-1") else frame for key, frame in zip(keys, index["frame"].to_pylist(), strict=True)
        ]
        at = index.schema.get_field_index
        index = index.set_column(at("key"), "key", pa.array(keys))
        return index.set_column(at("frame"), "frame", pa.array(frames, pa.int32()))

    root = rewrite(mini_store, tmp_path / "faces", index=second_face)
    first, second = clip_strips(str(root), clip)
    assert (first.heading.rpartition(", ")[2], second.heading.rpartition(", ")[2]) == ("face 0", "face 1")
    assert [len(first.pictures), len(second.pictures)] == [2, 1]


def test_a_clip_may_be_called_by_an_ending_that_no_other_has(mini_store: Store) -> None:
    clip = next(clip for clip in mini_store.clips()["clip"].to_pylist() if "/Deepfakes/" in clip)
    ending = clip.partition("/")[2]
    assert clip_named(mini_store, ending) == clip_named(mini_store, clip) == clip
    assert clip_strips(str(mini_store.root), ending)[0].heading == "Deepfakes"
    with pytest.raises(DfxError, match="unknown clip"):
        clip_named(mini_store, ending[1:])  # no whole part
    with pytest.raises(
        DfxError, match=f"unknown clip 'zzz'; (a known one is|known:) .*{min(mini_store.clips()['clip'].to_pylist())}"
    ):
        clip_named(mini_store, "zzz")


def test_an_ending_of_several_clips_names_them(mini_store: Store) -> None:
    several = [clip for clip in mini_store.clips()["clip"].to_pylist() if clip.endswith("/003__004")]
    assert len(several) == 2  # of Deepfakes and FaceSwap
    with pytest.raises(DfxError, match=f"2 clips end in '003__004' .{sorted(several)[0]}, {sorted(several)[1]}.; give"):
        clip_named(mini_store, "003__004")


@given(st.sets(st.text("ab/", min_size=1, max_size=8), max_size=12))
def test_short_names_are_distinct_endings_of_whole_parts(clips: set[str]) -> None:
    short = short_names(clips)
    assert short.keys() == clips
    assert len(set(short.values())) == len(clips)
    assert all(clip == name or clip.endswith(f"/{name}") for clip, name in short.items())


def test_names_under_one_heading_have_the_same_form_and_no_more_than_it_needs() -> None:
    methods = [f"ff++/Deepfakes/c23/videos/{name}" for name in ("007_006", "006_007")]
    assert set(short_names(methods).values()) == {"007_006", "006_007"}
    assert set(short_names([*methods, "ff++/Deepfakes/c40/videos/006_007"]).values()) == {
        "c23/videos/007_006",
        "c23/videos/006_007",
        "c40/videos/006_007",
    }


def test_an_unknown_clip_names_near_ones_and_a_failed_one_its_reason(mini_store: Store, tmp_path: Path) -> None:
    clip = mini_store.clips()["clip"][0].as_py()
    with pytest.raises(DfxError, match=r"unknown clip .*; did you mean"):
        clip_strips(str(mini_store.root), clip[:-1])

    def failed(clips: pa.Table) -> pa.Table:
        at = clips.schema.get_field_index
        status = ["failed", *clips["status"].to_pylist()[1:]]
        reason = ["no moov atom", *clips["reason"].to_pylist()[1:]]
        clips = clips.set_column(at("status"), "status", pa.array(status))
        return clips.set_column(at("reason"), "reason", pa.array(reason))

    root = rewrite(mini_store, tmp_path / "failed", clips=failed)
    with pytest.raises(StoreError, match="it failed: no moov atom"):
        clip_strips(str(root), clip)


def test_words_that_are_too_wide_lose_their_middle() -> None:
    shown, taken = fitted("a_name_of_a_method_that_nobody_would_choose", 1.0, 6.0)
    assert taken <= 1.0
    begin, _, end = shown.partition("…")
    assert begin.startswith("a_name")
    assert end.endswith("choose")
    assert fitted("short", 1.0, 6.0)[0] == "short"


def test_the_picture_grows_with_strips_and_not_with_long_names(tmp_path: Path) -> None:
    pixels = np.full((40, 40, 3), 90, dtype=np.uint8)
    shown = Picture(pixels=pixels, lines=("clip" * 30, "test, frame 0"))

    def size(strips: int, pictures: int, heading: str) -> tuple[int, int]:
        strip = Strip(heading=heading, note="note " * 9, pictures=(shown,) * pictures)
        draw_sheet([strip] * strips, tmp_path / "sheet.png", title="title " * 20)
        return cv2.imread(str(tmp_path / "sheet.png")).shape[:2]

    one, long, two, wide = size(1, 3, "a"), size(1, 3, "a" * 200), size(2, 3, "a"), size(1, 11, "a")
    assert one == long
    assert two[1] == one[1]
    assert two[0] > 1.5 * one[0]
    assert wide[1] > 2 * one[1]  # eight in a line, then a line below
    assert wide[0] > 1.5 * one[0]


def test_a_sheet_that_cannot_be_written_names_its_file(mini_store: Store, tmp_path: Path) -> None:
    strips = method_strips(select([str(mini_store.root)]), images=1)
    with pytest.raises(DfxError, match=r"gone/p\.png cannot be written"):
        draw_sheet(strips, tmp_path / "gone" / "p.png", title="")


@pytest.mark.parametrize("images", [0, 1000])
def test_a_number_of_samples_that_no_sheet_holds_is_refused(mini_store: Store, images: int) -> None:
    with pytest.raises(DfxError, match="a sheet holds 1 to 400"):
        method_strips(select([str(mini_store.root)]), images=images)
