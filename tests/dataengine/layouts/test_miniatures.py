"""The miniature of a dataset is its official tree: the layout reads all of it, and it becomes a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataengine.convert import convert
from dataengine.layouts import LAYOUTS, list_source, scan
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.sample import MINIATURES, generate
from dataengine.sample.trees.base import Tree
from dataengine.settings import ExtractSettings
from dataengine.splits import derive
from tests.dataengine.sample.test_trees import laid_out

NAMES = ("dfdc", "fakeavceleb", "forgerynet", "dfdc-preview")


def planned(name: str, clips: int) -> Tree:
    return MINIATURES[name].plan(clips, 48, 0, "c23", False)


@pytest.mark.parametrize("name", NAMES)
def test_the_layout_takes_every_video_with_its_label_and_no_other_layout_takes_the_tree(
    name: str, tmp_path: Path
) -> None:
    tree = planned(name, 16)
    videos = {item.path: item for item in tree.items if item.form == "video"}
    root = laid_out(Tree(tuple(videos.values()), tree.lists), tmp_path)
    found = scan(name, root, ScanOptions())
    taken = {clip.paths[0]: clip for clip in found.clips if clip.raw_method != "Rest"}
    assert {path: clip.label for path, clip in taken.items()} == {
        path: int(item.method != "") for path, item in videos.items()
    }
    assert found.unexpected == ()
    takers = (layout for layout in LAYOUTS.values() if layout.is_tree(list_source(root)))
    assert [layout.name for layout in takers if not layout.named] == [name]


@pytest.mark.parametrize(("name", "form"), [*((name, "") for name in MINIATURES), ("forgerynet", "image")])
def test_sixteen_clips_fill_the_splits_that_the_dataset_has_with_reals_and_fakes(
    name: str, form: str, tmp_path: Path
) -> None:
    root = laid_out(planned(name, 16), tmp_path)
    listing = str(root / "manifest.csv") if name == "manifest" else ""
    found = scan(name, root, ScanOptions(form=form, listing=listing)).clips
    splits = {"train", "val"} if name in ("forgerynet", "kodf") else {"train", "val", "test"}
    labels = (1,) if LAYOUTS[name].reals else (0, 1)
    wanted = {(split, label) for split in splits for label in labels} | ({("test", 0)} if name == "df40" else set())
    for seed in range(4):
        assert {(clip.split, clip.label) for clip in derive(found, seed)} == wanted


@pytest.mark.parametrize("name", MINIATURES)
def test_a_dataset_whose_people_are_anothers_says_how_to_score_without_them(name: str, tmp_path: Path) -> None:
    root = laid_out(planned(name, 4), tmp_path)
    found = scan(name, root, ScanOptions(listing=str(root / "manifest.csv") if name == "manifest" else ""))
    people = {(clip.dataset, who) for clip in found.clips for who in (clip.target_id, clip.source_id) if who}
    named_by_others = any(not who.startswith(f"{dataset}/") for dataset, who in people)
    assert named_by_others == any("dfx eval --unseen-people" in note for note in found.notes)
    assert named_by_others == (name in ("deeperforensics", "df40", "dfdm"))


def test_forgerynets_partly_fake_videos_have_real_and_fake_frames_within_a_short_video(tmp_path: Path) -> None:
    found = scan("forgerynet", laid_out(planned("forgerynet", 8), tmp_path), ScanOptions())
    rest = {clip.group: clip.ranges for clip in found.clips if clip.raw_method == "Rest"}
    fakes = {clip.group: clip.ranges for clip in found.clips if clip.group in rest and clip.label}
    assert len(rest) == len(fakes) >= 4
    assert all(ranges[0][0] < 9 for ranges in (*rest.values(), *fakes.values()))


@pytest.mark.parametrize("frames", [1, 9, 10, 16, 48, 100])
def test_forgerynets_lists_name_the_frames_that_are_made(frames: int, tmp_path: Path) -> None:
    tree = MINIATURES["forgerynet"].plan(8, frames, 0, "c23", False)
    clips = scan("forgerynet", laid_out(tree, tmp_path), ScanOptions()).clips
    assert any(clip.raw_method == "Rest" for clip in clips) == (frames >= 10)
    listed: dict[str, list[int]] = {}
    for clip in (clip for clip in clips if clip.ranges):
        listed.setdefault(clip.paths[0], []).extend(n for start, stop in clip.ranges for n in range(start, stop))
    assert listed
    assert all(sorted(numbers) == list(range(frames)) for numbers in listed.values())


@pytest.mark.parametrize(("name", "form"), [*((name, "") for name in NAMES), ("forgerynet", "image")])
def test_a_miniature_becomes_a_store(name: str, form: str, tmp_path: Path) -> None:
    generate(name, tmp_path / "tree", clips=2, frames=10, size=(160, 120), workers=0)
    settings = ConvertSettings(extract=ExtractSettings(faces="none", frames=2))
    store = convert(name, tmp_path / "tree", tmp_path / "store", settings, ScanOptions(form=form)).store
    clips = store.clips().to_pylist()
    assert {clip["status"] for clip in clips} == {"ok"}
    assert {clip["label"] for clip in clips} == {0, 1}
    found = scan(name, tmp_path / "tree", ScanOptions(form=form))
    assert (len(clips), found.unexpected) == (len(found.clips), ())


def test_the_frames_of_a_partly_fake_video_reach_the_store_under_their_own_label(tmp_path: Path) -> None:
    generate("forgerynet", tmp_path / "tree", clips=2, frames=10, size=(160, 120), workers=0)
    found = scan("forgerynet", tmp_path / "tree", ScanOptions())
    settings = ConvertSettings(extract=ExtractSettings(faces="none", frames=32))
    store = convert("forgerynet", tmp_path / "tree", tmp_path / "store", settings, ScanOptions()).store
    rows = store.index().to_pylist()
    for clip in (clip for clip in found.clips if clip.ranges):
        frames = {n for start, stop in clip.ranges for n in range(start, min(stop, 10))}
        assert {row["frame"] for row in rows if row["clip"] == clip.clip} == frames
        assert {row["label"] for row in rows if row["clip"] == clip.clip} == {clip.label}
