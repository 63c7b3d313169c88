"""DeeperForensics-1.0: faces of actors put into FaceForensics++'s videos, in eleven variants. Fakes alone.

    manipulated_videos/<variant>/<target>_<source>.mp4      000_M101.mp4: FF++'s video 000, the face of actor M101
    source_videos/<actor>/...                               the actors' own recordings: not the reals
    lists/splits/{train,val,test}.txt                       names of fakes; a name is of one split in every variant

The reals are FF++'s youtube videos of quality c23, as the authors say: convert them with `dfx shard ff++`. The
actors' recordings train the method alone and are never read. A variant (end_to_end, or the same with distortions) is
the quality.

Source: github.com/EndlessSora/DeeperForensics-1.0, dataset/README.md. (Its text gives 703 : 96 : 21; the lists have
703, 96 and 201, as others counted them.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from dataengine import methods
from dataengine.errors import LayoutError, unknown_name
from dataengine.layouts.scan import Layout, Published, Scan, ScanOptions, scan_of
from dataengine.records import Clip, clip_id
from dataengine.source import VIDEO_SUFFIXES, SourceTree, list_source

VARIANTS = (
    "end_to_end",
    *(f"end_to_end_level_{level}" for level in range(1, 6)),
    "end_to_end_random_level",
    *(f"end_to_end_mix_{number}_distortions" for number in (2, 3, 4)),
    "reenact_postprocess",
)
_NAME = re.compile(r"(?P<target>\d{3})_(?P<source>[MW]\d{3})")
_SPLITS = "lists/splits"


def is_tree(tree: SourceTree) -> bool:
    """Whether the root looks like DeeperForensics."""
    return any(tree.is_dir(f"manipulated_videos/{variant}") for variant in VARIANTS)


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """The clips of one variant.

    Raises LayoutError for a variant, a file name or a split list that DeeperForensics does not have.
    """
    variant = options.quality or VARIANTS[0]
    if variant not in VARIANTS:
        raise unknown_name("variant of deeperforensics", variant, VARIANTS)
    top = "manipulated_videos"
    there = [name for folder in tree.folders(top) if (name := folder.rpartition("/")[2])]
    for name in there:
        if name not in VARIANTS:
            raise LayoutError(
                f"{tree.shown(f'{top}/{name}')} is no variant of deeperforensics; move it out of the tree"
            )
    if variant not in there:
        raise LayoutError(f"{tree.root} holds no {variant} videos; take --quality {min(there)}")
    lists, below = (list_source(options.splits), "") if options.splits else (tree, _SPLITS)
    split_of = _listed(lists, below)
    clips = list(_clips(tree, f"{top}/{variant}", variant, split_of, lists.shown(below)))
    missing = {f"{top}/{variant}/{name}" for name in split_of} - {clip.paths[0] for clip in clips}
    stray = [path for path in tree.below(top, VIDEO_SUFFIXES) if path.count("/") != 2]
    notes = [
        "the reals of its fakes are FF++'s, of quality c23 (`dfx shard ff++`)",
        "its people are FF++'s, which has splits of its own: score what was trained on FF++ with "
        "`dfx eval --unseen-people`",
    ]
    return scan_of(clips, tree, "official lists of fakes", notes, missing=missing, unexpected=stray)


def _listed(tree: SourceTree, folder: str) -> dict[str, str]:
    """The split of each listed file name."""
    split_of: dict[str, str] = {}
    for split in ("train", "val", "test"):
        path = f"{folder}/{split}.txt" if folder else f"{split}.txt"
        if not tree.is_file(path):
            raise LayoutError(
                f"{tree.shown(path)} is missing; it comes with the dataset, put it back or name its folder with "
                "--splits DIR"
            )
        for number, line in enumerate(tree.read_text(path).splitlines(), start=1):
            name = line.strip()
            if name and not _NAME.fullmatch(PurePosixPath(name).stem):
                raise LayoutError(f"{tree.shown(path)} line {number} is not TARGET_SOURCE.mp4; get the list again")
            if name and split_of.setdefault(name, split) != split:
                raise LayoutError(f"{tree.shown(path)} lists {name}, which is in {split_of[name]}.txt too")
    return split_of


def _clips(tree: SourceTree, folder: str, variant: str, split_of: dict[str, str], lists: str) -> Iterator[Clip]:
    method = methods.canonical("deeperforensics", "DF-VAE")
    for path in tree.files(folder, VIDEO_SUFFIXES):
        name = path.rpartition("/")[2]
        match = _NAME.fullmatch(PurePosixPath(path).stem)
        if match is None:
            raise LayoutError(f"{tree.shown(path)} is not named TARGET_SOURCE.mp4 (000_M101.mp4); rename or move it")
        if name not in split_of:
            raise LayoutError(f"{path}: {name} is in none of the split lists in {lists}; complete them")
        yield Clip(
            clip=clip_id("deeperforensics", path),
            paths=(path,),
            media="video",
            dataset="deeperforensics",
            split=split_of[name],
            raw_method="DF-VAE",
            method=method.name,
            category=method.category,
            quality=variant,
            target_id=f"ff++/{match['target']}",
            source_id=f"deeperforensics/{match['source']}",
        )


LAYOUT = Layout(
    name="deeperforensics",
    scan=scan,
    is_tree=is_tree,
    expects="manipulated_videos/VARIANT/, lists/splits/*.txt",
    title="DeeperForensics-1.0",
    size="fakes 119 GB in eleven variants, actors' recordings 164 GB (not needed)",
    licence="terms of use by form; research without commerce; not to be passed on",
    access="the form in the repository EndlessSora/DeeperForensics-1.0",
    certainty="tree, names, variants and counts: the authors' repository; sizes of the splits: other people's counts",
    reals="ff++",
    published=(
        Published(clips=1000),
        *(
            Published(where={"split": split}, clips=clips)
            for split, clips in (("train", 703), ("val", 96), ("test", 201))
        ),
    ),
)
