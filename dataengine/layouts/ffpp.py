"""FaceForensics++ with FaceShifter and DeepFakeDetection (DFD), as its download script lays them out.

    original_sequences/{youtube,actors}/{raw|c0,c23,c40}/videos/*.mp4
    manipulated_sequences/{METHOD}/{raw|c0,c23,c40}/videos/*.mp4

Source: the layout and splits of github.com/ondyari/FaceForensics. The script names the uncompressed folder `raw`, other
copies `c0`; both are read. DFD's clips are a dataset of their own (`dfd`): it has no official split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.scan import VIDEO_SUFFIXES, Scan, ScanOptions, files, scan_of, subfolders
from dataengine.records import REAL, Clip, clip_id
from dataengine.splits import official_pairs

QUALITIES = ("raw", "c23", "c40")
_FOLDERS = {"raw": ("raw", "c0"), "c23": ("c23",), "c40": ("c40",)}
_ORIGINALS = {"youtube": "ff++", "actors": "dfd"}
_NAMES = {
    ("ff++", 0): (re.compile(r"(?P<target>\d{3})"), "NNN.mp4"),
    ("ff++", 1): (re.compile(r"(?P<target>\d{3})_(?P<source>\d{3})"), "TARGET_SOURCE.mp4"),
    ("dfd", 0): (re.compile(r"(?P<target>\d+)__.+"), "ACTOR__SCENE.mp4"),
    ("dfd", 1): (re.compile(r"(?P<target>\d+)_(?P<source>\d+)__.+__\w{8}"), "TARGET_SOURCE__SCENE__ID.mp4"),
}


def is_tree(root: Path) -> bool:
    """Whether the root looks like FF++."""
    return (root / "original_sequences").is_dir() or (root / "manipulated_sequences").is_dir()


def scan(root: Path, options: ScanOptions) -> Scan:
    """The clips of one quality. Raises LayoutError for a method, folder or file name FF++ does not have."""
    if options.quality not in QUALITIES:
        raise LayoutError(f"ff++ has no quality '{options.quality}'; it has {', '.join(QUALITIES)}")
    folders = list(_folders(root))
    clips = [clip for folder in folders for clip in _clips(root, *folder, options.quality)]
    if not clips:
        there = sorted({quality for folder, _, _ in folders for quality in QUALITIES if _videos(folder, quality)})
        remedy = f"take --quality {there[0]}" if there else "give the folder that holds them with --root"
        raise LayoutError(f"{root} holds no {options.quality} videos; {remedy}")
    if any(clip.dataset == "ff++" for clip in clips):
        clips = _with_official_splits(clips, options.splits or root / "splits")
    official = "official pairs (ff++)" if any(clip.dataset == "ff++" for clip in clips) else ""
    derived = "derived by identity (dfd)" if any(clip.dataset == "dfd" for clip in clips) else ""
    return scan_of(clips, root, "; ".join(filter(None, (official, derived))))


def _folders(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Each sequence folder with its dataset and raw method."""
    for folder in subfolders(root / "original_sequences"):
        if folder.name not in _ORIGINALS:
            raise LayoutError(f"{folder} is no folder of ff++ (it has youtube and actors); move it out of the tree")
        yield folder, _ORIGINALS[folder.name], "original"
    for folder in subfolders(root / "manipulated_sequences"):
        yield folder, "dfd" if folder.name == "DeepFakeDetection" else "ff++", folder.name


def _videos(folder: Path, quality: str) -> list[Path]:
    found = {name: files(folder / name / "videos", VIDEO_SUFFIXES) for name in _FOLDERS[quality]}
    holding = [name for name, videos in found.items() if videos]
    if len(holding) > 1:
        raise LayoutError(f"{folder} holds both {' and '.join(holding)}, two names of one quality; keep one of them")
    return [video for videos in found.values() for video in videos]


def _clips(root: Path, folder: Path, dataset: str, raw_method: str, quality: str) -> Iterator[Clip]:
    method = methods.canonical(dataset, raw_method)
    pattern, shape = _NAMES[dataset, int(method.name != REAL)]
    for video in _videos(folder, quality):
        match = pattern.fullmatch(video.stem)
        if match is None:
            raise LayoutError(f"{video} is not named {shape} as {raw_method} videos are; rename it or move it away")
        path = video.relative_to(root).as_posix()
        source = match.groupdict().get("source")
        yield Clip(
            clip=clip_id(dataset, path),
            paths=(path,),
            media="video",
            dataset=dataset,
            split="",
            raw_method=raw_method,
            method=method.name,
            category=method.category,
            quality=quality,
            target_id=f"{dataset}/{match['target']}",
            source_id=f"{dataset}/{source}" if source else "",
        )


def _with_official_splits(clips: list[Clip], folder: Path) -> list[Clip]:
    split_of = official_pairs(folder)

    def split(identity: str, clip: Clip) -> str:
        name = identity.rpartition("/")[2]
        if name not in split_of:
            raise LayoutError(f"{clip.paths[0]}: id {name} is in none of the split files in {folder}; complete them")
        return split_of[name]

    done = []
    for clip in clips:
        if clip.dataset == "ff++":
            target = split(clip.target_id, clip)
            same = not clip.source_id or split(clip.source_id, clip) == target
            clip = replace(clip, split=target if same else "none")
        done.append(clip)
    return done
