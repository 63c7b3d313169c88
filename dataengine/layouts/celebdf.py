"""Celeb-DF v1 and v2.

    Celeb-real/id0_0000.mp4  YouTube-real/00170.mp4  Celeb-synthesis/id0_id1_0000.mp4  List_of_testing_videos.txt

In a fake's name the first id is the footage (target), the second the face put in. The test list writes 1 for real and 0
for fake; labels are taken from the folder, never from the list. Only the test split is official.
Source: github.com/yuezunli/celeb-deepfakeforensics (layout); the meaning of the two ids and of the list's labels is as
several public parsers read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.scan import VIDEO_SUFFIXES, Scan, ScanOptions, files, scan_of
from dataengine.records import Clip, clip_id

TEST_LIST = "List_of_testing_videos.txt"
_NAMES = {
    "Celeb-real": (re.compile(r"(?P<target>id\d+)_\d+"), "idN_NNNN.mp4"),
    "YouTube-real": (re.compile(r"(?P<target>\d+)"), "NNNNN.mp4"),
    "Celeb-synthesis": (re.compile(r"(?P<target>id\d+)_(?P<source>id\d+)_\d+"), "idN_idM_NNNN.mp4"),
}


def is_tree(root: Path) -> bool:
    """Whether the root looks like Celeb-DF."""
    return any((root / folder).is_dir() for folder in _NAMES)


def scan(root: Path, options: ScanOptions) -> Scan:
    """All clips. Raises LayoutError for a misnamed video or a missing test list."""
    listed = _test_list((options.splits or root) / TEST_LIST)
    clips = [clip for folder in _NAMES for clip in _clips(root, folder, listed)]
    missing = sorted(listed - {clip.paths[0] for clip in clips})
    notes = [f"{len(missing)} videos of {TEST_LIST} are not in the tree (first: {missing[0]})"] if missing else []
    return scan_of(clips, root, "official test list; train and val derived by identity", notes)


def _test_list(path: Path) -> set[str]:
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise LayoutError(
            f"{path} is missing; it comes with Celeb-DF, put it back or name its folder with --splits DIR"
        ) from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise LayoutError(f"{path} is no text file; get the official list again") from None
    listed = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        label, _, name = line.strip().partition(" ")
        if label not in ("0", "1") or name.strip().partition("/")[0] not in _NAMES:
            raise LayoutError(f"{path} line {number} is not '0|1 FOLDER/NAME.mp4'; get the official list again")
        listed.add(name.strip())
    return listed


def _clips(root: Path, folder: str, listed: set[str]) -> Iterator[Clip]:
    method = methods.canonical("celeb-df", folder)
    pattern, shape = _NAMES[folder]
    for video in files(root / folder, VIDEO_SUFFIXES):
        match = pattern.fullmatch(video.stem)
        if match is None:
            raise LayoutError(f"{video} is not named {shape} as {folder} videos are; rename it or move it away")
        path = video.relative_to(root).as_posix()
        source = match.groupdict().get("source")
        prefix = "youtube-" if folder == "YouTube-real" else ""
        yield Clip(
            clip=clip_id("celeb-df", path),
            paths=(path,),
            media="video",
            dataset="celeb-df",
            split="test" if path in listed else "",
            raw_method=folder,
            method=method.name,
            category=method.category,
            quality="",
            target_id=f"celeb-df/{prefix}{match['target']}",
            source_id=f"celeb-df/{source}" if source else "",
        )
