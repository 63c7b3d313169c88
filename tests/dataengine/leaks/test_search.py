"""What splits and stores share is found, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dataengine.errors import StoreError
from dataengine.leaks import Leak, LeakReport, footage, near
from dataengine.leaks.search import find_leaks
from dataengine.selection import select
from dataengine.store import open_store
from tests.dataengine.leaks.made import people, scene, with_another_face, write
from tests.dataengine.made import damage, jpeg
from tests.dataengine.stores import rewrite


def found(report: LeakReport) -> list[tuple[str, tuple[str, str], int, tuple[int, int]]]:
    return [(leak.kind, leak.sides, leak.count, leak.clips) for leak in report.leaks]


def only(report: LeakReport) -> Leak:
    (leak,) = report.leaks
    return leak


def test_stores_of_different_people_share_nothing(tmp_path: Path) -> None:
    stores = [write(tmp_path / name, people(first), name=name) for name, first in (("a", 100), ("b", 300))]
    report = find_leaks(stores, threads=1)
    assert found(report) == []
    assert not report.breaks
    assert [(side.name, side.clips, side.images) for side in report.sides] == [
        *(("a:test", 2, 4), ("a:train", 3, 5), ("a:val", 1, 2)),
        *(("b:test", 2, 4), ("b:train", 3, 5), ("b:val", 1, 2)),
    ]


def test_the_same_bytes_in_two_splits_are_found_once_and_by_their_bytes(tmp_path: Path) -> None:
    again = people(100) | {"test/real/777": [jpeg(scene(100)), jpeg(scene(101))]}
    report = find_leaks([write(tmp_path, again, name="a")], threads=1)
    assert found(report) == [("bytes", ("a:test", "a:train"), 2, (1, 1))]
    assert report.breaks
    assert only(report).examples[0] == ("a/test/real/777, frame 0", "a/train/real/100, frame 0")


def test_the_same_bytes_in_two_stores_are_found(tmp_path: Path) -> None:
    first = write(tmp_path / "a", people(100), name="a")
    second = write(tmp_path / "b", people(300) | {"train/real/777": [jpeg(scene(100))]}, name="b")
    leak = only(find_leaks([first, second], threads=1))
    assert (leak.kind, leak.sides, leak.breaks) == ("bytes", ("a:train", "b:train"), False)


def test_bytes_that_stand_twice_in_one_split_are_no_leak(tmp_path: Path) -> None:
    clips = people(100) | {"train/real/777": [jpeg(scene(100))]}
    assert found(find_leaks([write(tmp_path, clips, name="a")], threads=1)) == []


@pytest.mark.parametrize("change", ["compressed", "smaller", "brighter"])
def test_a_frame_that_was_worked_on_again_is_found(tmp_path: Path, change: str) -> None:
    image = scene(100)
    changed = {
        "compressed": jpeg(image, subsampling="420", quality=50),
        "smaller": jpeg(cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)),
        "brighter": jpeg((image * 0.9 + 20).astype(np.uint8)),
    }[change]
    store = write(tmp_path, people(100) | {"val/real/777": [changed]}, name="a")
    assert found(find_leaks([store], threads=1)) == [("near", ("a:train", "a:val"), 1, (1, 1))]


def test_near_clips_are_told_with_their_frames_and_the_surest_first(tmp_path: Path) -> None:
    def again(number: int) -> bytes:
        return jpeg(scene(number), quality=60)

    copies = {"val/real/777": [again(110)], "val/real/888": [again(100), again(101)]}
    leak = only(find_leaks([write(tmp_path, people(100) | copies, name="a")], threads=1))
    assert (leak.count, leak.frames, leak.clips) == (2, 3, (2, 2))
    clips = [tuple(name.partition(",")[0] for name in pair) for pair in leak.examples]
    assert clips == [("a/train/real/100", "a/val/real/888"), ("a/train/real/101", "a/val/real/777")]


def test_pairs_put_together_in_pieces_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = {"val/real/888": [jpeg(scene(100 + frame), quality=60) for frame in (0, 1, 10, 11)]}
    store = write(tmp_path, people(100) | copies, name="a")
    whole = find_leaks([store], threads=1)
    assert only(whole).frames == 4
    monkeypatch.setattr(footage, "_MERGED_AT", 0)
    monkeypatch.setattr(near, "_PAIRS_AT_ONCE", 1)
    assert find_leaks([store], threads=1) == whole


def test_a_fake_of_footage_in_another_split_is_told_from_a_copy(tmp_path: Path) -> None:
    fake = jpeg(with_another_face(scene(100), 5))
    report = find_leaks([write(tmp_path, people(100) | {"test/FaceSwap/777__778": [fake]}, name="a")], threads=1)
    assert found(report) == [("footage", ("a:test", "a:train"), 1, (1, 1))]
    assert report.breaks


def test_a_fake_beside_its_own_real_is_counted_and_no_leak(tmp_path: Path) -> None:
    fake = jpeg(with_another_face(scene(100), 5))
    report = find_leaks([write(tmp_path, people(100) | {"train/FaceSwap/100__104": [fake]}, name="a")], threads=1)
    assert [leak.kind for leak in report.leaks] == ["identity"]  # 104 is in test
    assert {side.name: side.beside_their_reals for side in report.sides} == {"a:test": 0, "a:train": 1, "a:val": 0}


def test_dark_and_empty_frames_are_not_taken_for_each_other(tmp_path: Path) -> None:
    def dark(number: int) -> bytes:
        shade = np.linspace(30, 4, 96)[:, None, None] * np.ones((1, 96, 3))  # the same vignette in all
        return jpeg((shade + np.random.default_rng(number).normal(0, 2, shade.shape)).clip(0, 255).astype(np.uint8))

    black = [jpeg(np.full((96, 96, 3), value, dtype=np.uint8)) for value in (0, 1, 2, 3)]
    clips = {
        "train/real/1": [*map(dark, range(6)), *black[:2]],
        "test/real/2": [*map(dark, range(6, 12)), *black[2:]],
        "train/FaceSwap/3__1": [jpeg(scene(1))],
    }
    report = find_leaks([write(tmp_path, clips, name="a")], threads=1)
    assert found(report) == []
    assert report.plain == 4


def test_shared_people_are_found_as_target_or_source(tmp_path: Path) -> None:
    clips = people(100) | {"val/FaceSwap/888__103": [jpeg(scene(1))]}
    report = find_leaks([write(tmp_path, clips, name="a")], threads=1)
    assert found(report) == [("identity", ("a:test", "a:val"), 1, (1, 1))]
    assert only(report).examples == (("a/103 in a/test/real/103", "a/103 in a/val/FaceSwap/888__103"),)
    assert report.breaks


def test_people_whom_another_dataset_names_are_found_across_stores(tmp_path: Path) -> None:
    reals = write(tmp_path / "a", people(100), name="ff++")
    other = open_store(write(tmp_path / "b", people(300), name="df"))

    def named(table):
        at = table.schema.get_field_index("target_id")
        ids = [name.replace("df/304", "ff++/100") for name in table["target_id"].to_pylist()]
        return table.set_column(at, "target_id", [ids])

    fakes = str(rewrite(other, tmp_path / "c" / "deeper", index=named))
    leak = only(find_leaks([reals, fakes], threads=1))
    assert (leak.kind, leak.sides, leak.clips) == ("identity", ("deeper:test", "ff++:train")[::-1], (2, 1))
    assert leak.breaks


def test_a_clip_on_an_official_list_is_found_outside_test(tmp_path: Path) -> None:
    listed = tmp_path / "List_of_testing_videos.txt"
    listed.write_text("1 real/101.mp4\n\n0 FaceSwap/000_001.mp4\n1 real/104.mp4\n")
    store = write(tmp_path, people(100), name="a")
    report = find_leaks([store], test_lists=[listed], threads=1)
    assert found(report) == [("official", ("List_of_testing_videos.txt", "a:train"), 1, (1, 1))]
    assert only(report).examples == (("real/101", "a/train/real/101"),)
    assert report.breaks


def test_a_test_clip_of_an_official_split_is_found_in_another_store(tmp_path: Path) -> None:
    made = open_store(write(tmp_path / "a", people(100), name="a"))

    def in_train(table):
        at = table.schema.get_field_index("split")
        return table.set_column(at, "split", [["train"] * len(table)])

    def same_path(table):
        at = table.schema.get_field_index("path")
        return table.set_column(at, "path", [[path.partition("/")[2] for path in table["path"].to_pylist()]])

    official = rewrite(made, tmp_path / "own", clips=same_path, split_origin="official test list")
    other = rewrite(made, tmp_path / "other", clips=same_path, index=in_train)
    kinds = {(leak.kind, leak.sides): leak for leak in find_leaks([str(official), str(other)], threads=1).leaks}
    leak = kinds["official", ("own:test", "other:train")]
    assert (leak.count, leak.examples[0]) == (2, ("real/103", "a/test/real/103"))
    derived = find_leaks([str(rewrite(made, tmp_path / "derived", clips=same_path)), str(other)], threads=1)
    assert "official" not in {leak.kind for leak in derived.leaks}


@pytest.mark.parametrize("text", ["", None])
def test_a_list_that_names_nothing_is_refused(tmp_path: Path, text: str | None) -> None:
    store = write(tmp_path, people(100), name="a")
    if text is not None:
        (tmp_path / "list.txt").write_text(text)
    with pytest.raises(StoreError, match="name a text file with one path a line"):
        find_leaks([store], test_lists=[tmp_path / "list.txt"])


def test_images_that_cannot_be_read_are_counted_and_compared_by_their_bytes(tmp_path: Path) -> None:
    store = write(tmp_path, people(100) | {"test/real/777": [jpeg(scene(100))]}, name="a")
    rows = select([store])
    damage(rows, 0, "byte")
    report = find_leaks([store], threads=1)
    assert report.unreadable == 1
    assert "xxh3 differs" in report.first_unreadable
    assert [leak.kind for leak in report.leaks] == ["bytes"]


def test_the_split_none_is_not_searched(mini_store) -> None:
    assert {side.name.partition(":")[2] for side in find_leaks([str(mini_store.root)], threads=1).sides} == {
        *("train", "val", "test")
    }


def test_a_store_that_is_named_twice_is_refused(mini_store) -> None:
    with pytest.raises(StoreError, match="named twice"):
        find_leaks([str(mini_store.root), f"{mini_store.root}@split=train"])


def test_stores_of_one_name_are_told_apart_by_their_path(tmp_path: Path) -> None:
    stores = [write(tmp_path / part, people(first), name="a") for part, first in (("x", 100), ("y", 300))]
    assert [side.name for side in find_leaks(stores, threads=1).sides][::3] == [
        f"{stores[0]}:test",
        f"{stores[1]}:test",
    ]


def test_progress_ends_with_every_image(mini_store) -> None:
    heard: list[tuple[int, int]] = []
    report = find_leaks([str(mini_store.root)], threads=2, on_image=lambda done, total: heard.append((done, total)))
    total = sum(side.images for side in report.sides)
    assert heard[-1] == (total, total)
