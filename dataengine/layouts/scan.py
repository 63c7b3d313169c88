"""What a layout gives: the clips of a tree, what was odd about it, and where its splits come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from dataengine.errors import LayoutError, printable
from dataengine.records import Clip, clip_id
from dataengine.source import IMAGE_SUFFIXES, VIDEO_SUFFIXES, SourceTree, suffix


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """What a user may tell a layout."""

    quality: str = ""
    """The compression to take where a dataset comes in several (FF++: raw, c23, c40); "" is the layout's default."""
    splits: Path | None = None
    """A folder of official split files, where they do not lie below the root."""
    name: str = ""
    """The dataset's name where the layout has none (`folder`); "" takes the root folder's."""
    listing: str = ""
    """A list of the dataset's files, where the layout reads one that may have any name."""
    form: str = ""
    """Of the list, where there are several: "deepfakebench"."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A tree as a layout read it."""

    clips: tuple[Clip, ...]
    """Sorted by clip id; their ids are distinct."""
    split_origin: str
    """Where the splits come from, in words for `dfx info`."""
    notes: tuple[str, ...] = ()
    """What the user should know: files that are listed but missing, and the like."""
    missing: tuple[str, ...] = ()
    """Paths that the dataset's own lists name and the tree lacks, sorted."""
    unexpected: tuple[str, ...] = ()
    """Videos or images that lie in the tree but in no list, or that the layout cannot place: they are in no clip.
    Sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """How many clips the authors say there are of one kind."""

    clips: int
    where: Mapping[str, str] = field(default_factory=dict)
    """Columns of a clip and their values as text, such as {"raw_method": "Deepfakes"} or {"label": "0"}; {}: in all."""


def in_words(where: Mapping[str, str]) -> str:
    """What `Published.where` asks for, such as "fake videos" or "ff++ original, test split"; "all clips" for {}."""
    label, media = where.get("label", ""), where.get("media", "")
    words = (
        {"0": "real", "1": "fake"}.get(label, ""),
        *(where.get(column, "") for column in ("dataset", "raw_method", "quality")),
        {"video": "videos"}.get(media, media),
    )
    parts = [" ".join(filter(None, words)), f"{where['split']} split" if "split" in where else ""]
    return ", ".join(filter(None, parts)) or "all clips"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One dataset's tree, and what one should know before asking for it."""

    name: str
    scan: Callable[[SourceTree, ScanOptions], Scan]
    is_tree: Callable[[SourceTree], bool]
    """Whether a root looks like this dataset, from its names alone."""
    expects: str
    """What the root must hold, in one line."""
    title: str
    size: str = ""
    """On disk, in words."""
    licence: str = ""
    """Its condition, in words."""
    access: str = ""
    """Where it is asked for, in words."""
    certainty: str = ""
    """How the layout's facts are known, in words."""
    reals: str = ""
    """Of a dataset of fakes alone: the layout whose store holds its reals."""
    published: Sequence[Published] = ()
    cropped: bool = False
    """Whether its images are cut-out faces already, or no faces at all: by default they are then stored as they are."""
    named: bool = False
    """Whether the user gives the dataset its name (`ScanOptions.name`)."""
    listing: Literal["", "may", "must"] = ""
    """Whether it reads a list that the user gives (`ScanOptions.listing`)."""
    forms: Sequence[str] = ()
    """What `ScanOptions.form` may be, beside ""."""


def scan_of(
    clips: Iterable[Clip],
    tree: SourceTree,
    split_origin: str,
    notes: Iterable[str] = (),
    *,
    missing: Iterable[str] = (),
    unexpected: Iterable[str] = (),
) -> Scan:
    """Make ids distinct where two files differ in their suffix alone, sort, fill in sizes, and refuse an empty tree.

    What is missing or unexpected is noted with its number and first name.
    """
    found, absent, stray = list(clips), sorted(set(missing)), sorted(set(unexpected))
    if not found and absent:
        raise LayoutError(
            f"{tree.root} holds none of the {len(absent):,} files that the dataset's lists name (first: "
            f"{printable(absent[0])}); give the dataset's folder with --root"
        )
    if not found:
        raise LayoutError(f"{tree.root} holds no video or image; give the dataset's folder with --root")
    while twice := {name for name, count in Counter(clip.clip for clip in found).items() if count > 1}:
        renamed = [
            replace(clip, clip=clip_id(clip.dataset, clip.paths[0], keep_suffix=True)) if clip.clip in twice else clip
            for clip in found
        ]
        if renamed == found:
            raise LayoutError(f"{tree.root}: two clips are named {min(twice)}; name each file once")
        found = renamed
    sized = (_sized(clip, tree) for clip in found)
    said = list(notes)
    if absent:
        said.append(f"{len(absent):,} listed files are not in the tree (first: {printable(absent[0])})")
    if stray:
        said.append(
            f"{len(stray):,} files of the tree are in no list or place of the dataset (first: {printable(stray[0])})"
        )
    ordered = tuple(sorted(sized, key=lambda clip: clip.clip))
    return Scan(ordered, split_origin, tuple(said), tuple(absent), tuple(stray))


def unused(tree: SourceTree, scan: Scan) -> list[str]:
    """Videos and images of the tree, sorted, that are in no clip and that the scan does not call unexpected, such as
    those of another compression."""
    used = {path for clip in scan.clips for path in ((clip.archive,) if clip.archive else clip.paths)}
    media = {path for path in tree.sizes if suffix(path) in VIDEO_SUFFIXES | IMAGE_SUFFIXES}
    return sorted(media - used - set(scan.unexpected))


def left_aside(tree: SourceTree, scan: Scan) -> list[str]:
    """A note on what is `unused`, none where nothing is."""
    paths = unused(tree, scan)
    if not paths:
        return []
    return [f"{len(paths):,} other videos and images below the root are in no clip (first: {printable(paths[0])})"]


def _sized(clip: Clip, tree: SourceTree) -> Clip:
    """A layout of millions of clips gives their sizes itself, so that none is made twice."""
    paths = (clip.archive,) if clip.archive else clip.paths
    size = sum(tree.sizes.get(path, 0) for path in paths)
    return clip if clip.source_bytes == size else replace(clip, source_bytes=size)
