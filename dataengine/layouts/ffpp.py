"""FaceForensics++ with FaceShifter and DeepFakeDetection (DFD), as its download script lays them out.

    original_sequences/{youtube,actors}/{raw|c0,c23,c40}/videos/*.mp4
    manipulated_sequences/{METHOD}/{raw|c0,c23,c40}/videos/*.mp4

Source: the layout and splits of github.com/ondyari/FaceForensics. The script names the uncompressed folder `raw`, other
copies `c0`; both are read. DFD's clips are a dataset of their own (`dfd`): it has no official split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.metadata import read_json
from dataengine.layouts.scan import Layout, Published, Scan, ScanOptions, scan_of
from dataengine.records import REAL, Clip, clip_id
from dataengine.source import VIDEO_SUFFIXES, SourceTree, list_source

QUALITIES = ("raw", "c23", "c40")
_FOLDERS = {"raw": ("raw", "c0"), "c23": ("c23",), "c40": ("c40",)}
_ORIGINALS = {"youtube": "ff++", "actors": "dfd"}
_NAMES = {
    ("ff++", 0): (re.compile(r"(?P<target>\d{3})"), "NNN.mp4"),
    ("ff++", 1): (re.compile(r"(?P<target>\d{3})_(?P<source>\d{3})"), "TARGET_SOURCE.mp4"),
    ("dfd", 0): (re.compile(r"(?P<target>\d+)__.+"), "ACTOR__SCENE.mp4"),
    ("dfd", 1): (re.compile(r"(?P<target>\d+)_(?P<source>\d+)__.+__\w{8}"), "TARGET_SOURCE__SCENE__ID.mp4"),
}


def is_tree(tree: SourceTree) -> bool:
    """Whether the root looks like FF++."""
    return tree.is_dir("original_sequences") or tree.is_dir("manipulated_sequences")


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """The clips of one quality. Raises LayoutError for a method, folder or file name FF++ does not have."""
    quality = options.quality or "c23"
    if quality not in QUALITIES:
        raise LayoutError(f"ff++ has no quality '{quality}'; it has {', '.join(QUALITIES)}")
    folders = list(_folders(tree))
    clips = [clip for folder in folders for clip in _clips(tree, *folder, quality)]
    if not clips:
        there = sorted({other for folder, _, _ in folders for other in QUALITIES if _videos(tree, folder, other)})
        remedy = f"take --quality {there[0]}" if there else "give the folder that holds them with --root"
        raise LayoutError(f"{tree.root} holds no {quality} videos; {remedy}")
    missing: set[str] = set()
    if any(clip.dataset == "ff++" for clip in clips):
        lists, below = (list_source(options.splits), "") if options.splits else (tree, "splits")
        split_of = official_pairs(lists, below)
        clips = _with_official_splits(clips, split_of, lists.shown(below))
        missing = _missing(clips, split_of)
    official = "official pairs (ff++)" if any(clip.dataset == "ff++" for clip in clips) else ""
    derived = "derived by identity (dfd)" if any(clip.dataset == "dfd" for clip in clips) else ""
    return scan_of(clips, tree, "; ".join(filter(None, (official, derived))), missing=missing)


def official_pairs(tree: SourceTree, folder: str) -> dict[str, str]:
    """Read FF++'s {train,val,test}.json, lists of [id, id] pairs: the split of each id.

    Raises LayoutError where a file is missing or malformed, or an id stands in two splits.
    """
    split_of: dict[str, str] = {}
    for split in ("train", "val", "test"):
        path = f"{folder}/{split}.json" if folder else f"{split}.json"
        if not tree.is_file(path):
            raise LayoutError(
                f"{tree.shown(path)} is missing; get the official split files from the dataset's repository and put "
                f"them in {tree.shown(folder)}, or name their folder with --splits DIR"
            )
        pairs = read_json(tree, path)
        if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
            raise LayoutError(f"{tree.shown(path)} is not a list of [id, id] pairs; get the official split file again")
        for identity in (str(member) for pair in pairs for member in pair):
            if split_of.setdefault(identity, split) != split:
                raise LayoutError(f"{tree.shown(path)} lists {identity}, which is in {split_of[identity]}.json too")
    return split_of


def _is_pair(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(isinstance(member, str | int) for member in pair)


def _folders(tree: SourceTree) -> Iterator[tuple[str, str, str]]:
    """Each sequence folder with its dataset and raw method."""
    for folder in tree.folders("original_sequences"):
        name = folder.rpartition("/")[2]
        if name not in _ORIGINALS:
            raise LayoutError(
                f"{tree.shown(folder)} is no folder of ff++ (it has youtube and actors); move it out of the tree"
            )
        yield folder, _ORIGINALS[name], "original"
    for folder in tree.folders("manipulated_sequences"):
        name = folder.rpartition("/")[2]
        yield folder, "dfd" if name == "DeepFakeDetection" else "ff++", name


def _videos(tree: SourceTree, folder: str, quality: str) -> list[str]:
    found = {name: tree.files(f"{folder}/{name}/videos", VIDEO_SUFFIXES) for name in _FOLDERS[quality]}
    holding = [name for name, videos in found.items() if videos]
    if len(holding) > 1:
        raise LayoutError(
            f"{tree.shown(folder)} holds both {' and '.join(holding)}, two names of one quality; keep one of them"
        )
    return [video for videos in found.values() for video in videos]


def _clips(tree: SourceTree, folder: str, dataset: str, raw_method: str, quality: str) -> Iterator[Clip]:
    method = methods.canonical(dataset, raw_method)
    pattern, shape = _NAMES[dataset, int(method.name != REAL)]
    for path in _videos(tree, folder, quality):
        match = pattern.fullmatch(PurePosixPath(path).stem)
        if match is None:
            raise LayoutError(
                f"{tree.shown(path)} is not named {shape} as {raw_method} videos are; rename it or move it away"
            )
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


def _with_official_splits(clips: list[Clip], split_of: Mapping[str, str], lists: str) -> list[Clip]:
    def split(identity: str, clip: Clip) -> str:
        name = identity.rpartition("/")[2]
        if name not in split_of:
            raise LayoutError(f"{clip.paths[0]}: id {name} is in none of the split files in {lists}; complete them")
        return split_of[name]

    done = []
    for clip in clips:
        if clip.dataset == "ff++":
            target = split(clip.target_id, clip)
            same = not clip.source_id or split(clip.source_id, clip) == target
            clip = replace(clip, split=target if same else "none")
        done.append(clip)
    return done


def _missing(clips: list[Clip], split_of: Mapping[str, str]) -> set[str]:
    """Reals that the split files list, beside those that are there. Which fakes there should be no file says."""
    there = {clip.paths[0] for clip in clips if clip.dataset == "ff++" and not clip.label}
    if not there:
        return set()
    folder, _, name = min(there).rpartition("/")
    ending = PurePosixPath(name).suffix
    return {f"{folder}/{identity}{ending}" for identity in split_of} - there


LAYOUT = Layout(
    name="ff++",
    scan=scan,
    is_tree=is_tree,
    expects="original_sequences/ and manipulated_sequences/, splits/*.json",
    title="FaceForensics++ with FaceShifter and DeepFakeDetection",
    size="c23 about 10 GB, c40 2 GB, raw 500 GB",
    licence="terms of use by form; not to be passed on",
    access="the form in the repository ondyari/FaceForensics",
    certainty="tree, splits and counts: the authors' repository and copies of its download script",
    published=(
        Published(where={"dataset": "ff++", "raw_method": "original"}, clips=1000),
        *(
            Published(where={"dataset": "ff++", "raw_method": method}, clips=1000)
            for method in ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
        ),
        Published(where={"dataset": "dfd", "raw_method": "original"}, clips=363),
        Published(where={"dataset": "dfd", "raw_method": "DeepFakeDetection"}, clips=3068),
        *(
            Published(where={"dataset": "ff++", "raw_method": "original", "split": split}, clips=clips)
            for split, clips in (("train", 720), ("val", 140), ("test", 140))
        ),
    ),
)
