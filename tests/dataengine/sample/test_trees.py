"""The plans of miniature datasets: names, splits and labels as the real datasets have them."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.errors import DfxError
from dataengine.layouts import scan
from dataengine.layouts.scan import ScanOptions
from dataengine.sample.encode import tar
from dataengine.sample.manipulate import MANIPULATIONS
from dataengine.sample.styles import STYLES
from dataengine.sample.trees import MINIATURES
from dataengine.sample.trees.base import FACE_METHODS, Item, Tree


def planned(name: str, clips: int, *, seed: int = 0, quality: str = "c23", dfd: bool = False) -> Tree:
    return MINIATURES[name].plan(clips, 48, seed, quality, dfd)


def laid_out(tree: Tree, root: Path) -> Path:
    """The tree on disk with empty videos and images, two in a folder: enough to be scanned."""
    files, archives = dict(tree.lists), defaultdict(list)
    for item in tree.items:
        suffix = {"frames": "jpg", "faces": "png"}.get(item.form)
        names = [f"{item.path}/{item.frame.format(n)}.{suffix}" for n in range(2)] if suffix else [item.path]
        if item.archive:
            archives[item.archive] += names
        else:
            files.update(dict.fromkeys(names, ""))
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for path, names in archives.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(tar((name, b"") for name in names))
    return root


def split_pairs(tree: Tree) -> dict[str, list[list[str]]]:
    return {Path(path).stem: json.loads(text) for path, text in tree.lists.items()}


@given(clips=st.integers(2, 120), name=st.sampled_from(sorted(MINIATURES)), dfd=st.booleans(), seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_any_plan_has_a_fake_of_each_method_for_each_real(clips: int, name: str, dfd: bool, seed: int) -> None:
    clips += clips % 2
    tree = planned(name, clips, seed=seed, dfd=dfd and name == "ff++")
    count = Counter((item.target.style, item.method) for item in tree.items)
    assert len({item.path for item in tree.items}) == len(tree.items)
    assert set(count.values()) == {clips}


@given(clips=st.integers(2, 120), name=st.sampled_from(sorted(MINIATURES)), dfd=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_fake_always_has_another_identity_as_its_source(clips: int, name: str, dfd: bool) -> None:
    clips += clips % 2
    for item in planned(name, clips, dfd=dfd and name == "ff++").items:
        assert (item.source is None) == (item.method == "")
        if item.source is not None:
            assert item.source.identity != item.target.identity
            assert item.method in MANIPULATIONS
            assert item.source.style in STYLES


def test_ffpp_paths_are_the_official_ones() -> None:
    method = "|".join((*FACE_METHODS, "DeepFakeDetection"))
    allowed = re.compile(
        r"original_sequences/youtube/c40/videos/\d{3}\.mp4"
        r"|original_sequences/actors/c40/videos/\d\d__[a-z_]+\.mp4"
        rf"|manipulated_sequences/({method})/c40/videos/"
        r"(\d{3}_\d{3}|\d\d_\d\d__[a-z_]+__[A-Z0-9]{8})\.mp4"
    )
    tree = planned("ff++", 12, quality="c40", dfd=True)
    assert [item.path for item in tree.items if not allowed.fullmatch(item.path)] == []


def test_ffpp_without_dfd_holds_neither_actors_nor_their_fakes() -> None:
    assert not [item.path for item in planned("ff++", 8).items if "actors" in item.path or "Detection" in item.path]


@pytest.mark.parametrize(("clips", "shares"), [(1000, (360, 70, 70)), (16, (5, 1, 2)), (6, (1, 1, 1)), (4, (1, 0, 1))])
def test_ffpp_pairs_are_dealt_out_like_the_official_ones(clips: int, shares: tuple[int, int, int]) -> None:
    pairs = split_pairs(planned("ff++", clips))
    assert tuple(len(pairs[split]) for split in ("train", "val", "test")) == shares


def test_each_ffpp_identity_is_in_one_pair_with_its_source() -> None:
    tree = planned("ff++", 20)
    pairs = [tuple(pair) for split in split_pairs(tree).values() for pair in split]
    assert sorted(identity for pair in pairs for identity in pair) == [f"{i:03d}" for i in range(20)]
    swapped = {tuple(sorted((item.target.name, item.source.name))) for item in tree.items if item.source}
    assert swapped == set(pairs)


def test_an_odd_number_of_ffpp_clips_is_refused_with_the_next_even_one() -> None:
    with pytest.raises(DfxError, match="--clips 8"):
        planned("ff++", 7)


def test_celebdf_test_list_writes_1_for_real_and_0_for_fake() -> None:
    lines = planned("celeb-df", 12).lists["List_of_testing_videos.txt"].split("\n")[:-1]
    assert {line.split("/")[0] for line in lines} == {"1 Celeb-real", "1 YouTube-real", "0 Celeb-synthesis"}


def test_celebdf_names_put_the_footage_first() -> None:
    for item in planned("celeb-df", 9).items:
        if item.source is not None:
            number = item.target.name.partition("_")[2]
            assert item.path == f"Celeb-synthesis/{item.target.identity}_{item.source.identity}_{number}.mp4"


@pytest.mark.parametrize("name", ["ff++", "celeb-df", "folder"])
def test_the_layout_reads_the_tree_with_its_labels_and_identities(name: str, tmp_path: Path) -> None:
    tree = planned(name, 8, dfd=name == "ff++")
    clips = {clip.paths[0]: clip for clip in scan(name, laid_out(tree, tmp_path), ScanOptions()).clips}
    assert set(clips) == {item.path for item in tree.items}
    for item in tree.items:
        clip = clips[item.path]
        assert clip.label == int(item.method != "")
        assert bool(clip.source_id) == bool(item.method)
        if item.source is not None and name != "celeb-df":
            assert clip.source_id.endswith(item.source.identity)


def test_the_manifest_says_of_each_video_and_folder_of_frames_what_it_is(tmp_path: Path) -> None:
    tree = planned("manifest", 4)
    root = laid_out(Tree((), {**tree.lists, **{_first_file(item): "" for item in tree.items}}), tmp_path)
    clips = scan("manifest", root, ScanOptions(listing=str(root / "manifest.csv"))).clips
    found = {clip.paths[0]: (clip.method, clip.target_id, clip.source_id, clip.quality) for clip in clips}
    assert found == {
        _first_file(item): (
            item.method or "real",
            f"manifest/{item.target.identity}",
            f"manifest/{item.source.identity}" if item.source else "",
            "c23" if item.form == "video" else "",
        )
        for item in tree.items
    }


def _first_file(item: Item) -> str:
    return item.path if item.form == "video" else f"{item.path}/000.jpg"


def test_other_seeds_deal_out_other_pairs() -> None:
    assert len({planned("ff++", 20, seed=seed).lists["splits/test.json"] for seed in range(8)}) > 2
