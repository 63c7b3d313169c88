"""What --check says of a tree, beside the lists of the dataset and the published counts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dataengine.check import Check, check
from dataengine.layouts import LAYOUTS, scan_with
from dataengine.layouts.scan import Published, ScanOptions, in_words

VIDEOS = {
    "Celeb-real/id0_0000.mp4": 10,
    "Celeb-real/id1_0000.mp4": 0,
    "YouTube-real/00001.mp4": 20,
    "Celeb-synthesis/id0_id1_0000.mp4": 40,
    "Celeb-synthesis/id1_id0_0000.mp4": 50,
    "Celeb-synthesis/cover.jpg": 5,
}
LISTED = ("1 Celeb-real/id0_0000.mp4", "1 Celeb-real/id9_0000.mp4", "0 Celeb-synthesis/id0_id1_0000.mp4")


@pytest.fixture
def found(tmp_path: Path) -> Check:
    """A Celeb-DF of 5 videos of so many bytes, one of those listed missing, a picture among them."""
    for path, size in VIDEOS.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(bytes(size))
    (tmp_path / "List_of_testing_videos.txt").write_text("\n".join(LISTED))
    published = [
        Published(clips=5),
        Published(where={"label": "0"}, clips=890),
        Published(where={"split": "test"}, clips=3),
        Published(where={"label": "1", "media": "images"}, clips=7),
        Published(where={"dataset": "dfd"}, clips=8),
    ]
    layout = dataclasses.replace(LAYOUTS["celeb-df"], published=published)
    return check(layout, *scan_with("celeb-df", tmp_path, ScanOptions()))


def test_every_clip_is_counted_in_one_group_by_its_method(found: Check) -> None:
    groups = {group.raw_method: (group.label, group.clips, group.bytes) for group in found.groups}
    assert groups == {"Celeb-real": (0, 2, 10), "YouTube-real": (0, 1, 20), "Celeb-synthesis": (1, 2, 90)}
    assert (found.clips, found.labels) == (5, {"real": 3, "fake": 2})
    assert sum(sum(group.splits.values()) for group in found.groups) == 5


def test_published_counts_stand_beside_those_found_where_any_are_of_their_form_and_part(found: Check) -> None:
    compared = [(dict(each.where), each.published, each.found) for each in found.compared]
    assert compared == [({}, 5, 5), ({"label": "0"}, 890, 3), ({"split": "test"}, 3, 2)]
    assert found.differences == 2


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({}, "all clips"),
        ({"label": "0"}, "real"),
        ({"media": "video", "label": "1"}, "fake videos"),
        ({"dataset": "ff++", "raw_method": "original", "split": "test"}, "ff++ original, test split"),
        ({"split": "val"}, "val split"),
    ],
)
def test_what_a_published_count_is_of_is_said_in_words(where: dict[str, str], words: str) -> None:
    assert in_words(where) == words


def test_what_is_missing_empty_or_left_aside_is_named(found: Check) -> None:
    assert list(found.missing) == ["Celeb-real/id9_0000.mp4"]
    assert list(found.unused) == ["Celeb-synthesis/cover.jpg"]
    assert list(found.empty) == ["Celeb-real/id1_0000.mp4"]
    assert found.notes == ()  # it is not said twice


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_published_counts_name_columns_that_clips_have(layout) -> None:  # type: ignore[no-untyped-def]
    from dataengine.records import Clip

    assert all(hasattr(Clip, column) for each in layout.published for column in each.where)
