"""Celeb-DF v1 and v2.

    Celeb-real/id0_0000.mp4  YouTube-real/00170.mp4  Celeb-synthesis/id0_id1_0000.mp4  List_of_testing_videos.txt

In a fake's name the first id is the footage (target), the second the face put in. The test list writes 1 for real and 0
for fake; labels are taken from the folder, never from the list. Only the test split is official.
Source: github.com/yuezunli/celeb-deepfakeforensics (layout); the meaning of the two ids and of the list's labels is as
several public parsers read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.scan import Layout, Published, Scan, ScanOptions, scan_of
from dataengine.records import Clip, clip_id
from dataengine.source import VIDEO_SUFFIXES, SourceTree, list_source

TEST_LIST = "List_of_testing_videos.txt"
_NAMES = {
    "Celeb-real": (re.compile(r"(?P<target>id\d+)_\d+"), "idN_NNNN.mp4"),
    "YouTube-real": (re.compile(r"(?P<target>\d+)"), "NNNNN.mp4"),
    "Celeb-synthesis": (re.compile(r"(?P<target>id\d+)_(?P<source>id\d+)_\d+"), "idN_idM_NNNN.mp4"),
}
_LISTED = re.compile(r"[01]\s+(?P<video>(?P<folder>[\w-]+)/[\w-]+\.\w+)")


def is_tree(tree: SourceTree) -> bool:
    """Whether the root looks like Celeb-DF."""
    return any(tree.is_dir(folder) for folder in _NAMES)


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """All clips. Raises LayoutError for a misnamed video or a missing test list."""
    listed = _test_list(list_source(options.splits) if options.splits else tree)
    clips = [clip for folder in _NAMES for clip in _clips(tree, folder, listed)]
    there = {_stem(clip.paths[0]) for clip in clips}
    missing = [path for stem, path in listed.items() if stem not in there]
    return scan_of(clips, tree, "official test list; train and val derived by identity", missing=missing)


def _stem(path: str) -> str:
    """By which the list knows a video: one encoded anew, or with its suffix in capitals, is still a test video."""
    return path.rpartition(".")[0]


def _test_list(tree: SourceTree) -> dict[str, str]:
    """The listed paths by their stems."""
    path = tree.shown(TEST_LIST)
    if not tree.is_file(TEST_LIST):
        raise LayoutError(
            f"{path} is missing; it comes with Celeb-DF, put it back or name its folder with --splits DIR"
        )
    listed: dict[str, str] = {}
    for number, line in enumerate(tree.read_text(TEST_LIST).splitlines(), start=1):
        if not line.strip():
            continue
        match = _LISTED.fullmatch(line.strip())
        if match is None or match["folder"] not in _NAMES:
            raise LayoutError(f"{path} line {number} is not '0|1 FOLDER/NAME.mp4'; get the official list again")
        listed[_stem(match["video"])] = match["video"]
    if not listed:
        raise LayoutError(f"{path} names no video; get the official list again")
    return listed


def _clips(tree: SourceTree, folder: str, listed: Mapping[str, str]) -> Iterator[Clip]:
    method = methods.canonical("celeb-df", folder)
    pattern, shape = _NAMES[folder]
    for path in tree.files(folder, VIDEO_SUFFIXES):
        match = pattern.fullmatch(PurePosixPath(path).stem)
        if match is None:
            raise LayoutError(
                f"{tree.shown(path)} is not named {shape} as {folder} videos are; rename it or move it away"
            )
        source = match.groupdict().get("source")
        prefix = "youtube-" if folder == "YouTube-real" else ""
        yield Clip(
            clip=clip_id("celeb-df", path),
            paths=(path,),
            media="video",
            dataset="celeb-df",
            split="test" if _stem(path) in listed else "",
            raw_method=folder,
            method=method.name,
            category=method.category,
            quality="",
            target_id=f"celeb-df/{prefix}{match['target']}",
            source_id=f"celeb-df/{source}" if source else "",
        )


LAYOUT = Layout(
    name="celeb-df",
    scan=scan,
    is_tree=is_tree,
    expects="Celeb-real/, YouTube-real/, Celeb-synthesis/",
    title="Celeb-DF v1 and v2",
    licence="signed form; not to be passed on",
    access="the form in the repository yuezunli/celeb-deepfakeforensics",
    certainty="tree and counts: the authors' repository; order of the ids, labels in the list: other people's parsers",
    published=(
        Published(where={"raw_method": "Celeb-real"}, clips=590),
        Published(where={"raw_method": "YouTube-real"}, clips=300),
        Published(where={"raw_method": "Celeb-synthesis"}, clips=5639),
        Published(where={"split": "test"}, clips=518),
    ),
)
