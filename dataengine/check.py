"""What a conversion would find in a tree, beside what its layout lists and its authors published, undecoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dataengine.layouts.scan import Layout, Scan, unused
from dataengine.records import SPLITS, Clip
from dataengine.source import SourceTree
from dataengine.splits import derive, lacking, shared_identities


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The clips of one method in one dataset."""

    dataset: str
    raw_method: str
    method: str
    """Canonical name."""
    label: int
    clips: int
    bytes: int
    """Of their files as they lie; an archive counts once, with the group of its first clip."""
    splits: Mapping[str, int]
    """Clips by split, as a conversion with this seed would give them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A published count beside the one found."""

    where: Mapping[str, str]
    """Columns of a clip and their values; {} for all clips."""
    published: int
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A tree as `dfx shard --check` shows it."""

    layout: str
    root: str
    files: int
    """In the whole tree, hidden ones left out."""
    bytes: int
    """Of those files."""
    clips: int
    groups: Sequence[Group]
    """By dataset, reals first."""
    compared: Sequence[Compared]
    """Those published of the forms and parts of the dataset that there are clips of."""
    split_origin: str
    shared_identities: Mapping[str, int]
    """As in `splits.shared_identities`."""
    missing: Sequence[str]
    """Listed by the dataset, not in the tree."""
    unexpected: Sequence[str]
    """In the tree, in no list or place of the dataset."""
    unused: Sequence[str]
    """Other videos and images that no clip is made of, such as those of another compression."""
    empty: Sequence[str]
    """First files of clips that hold no byte; they would fail."""
    notes: Sequence[str]
    """The layout's, less those that count what is missing and unexpected."""
    lacking: Sequence[str]
    """As in `splits.lacking`."""

    @property
    def labels(self) -> dict[str, int]:
        """Clips of each class."""
        fakes = sum(group.clips for group in self.groups if group.label)
        return {"real": self.clips - fakes, "fake": fakes}

    @property
    def differences(self) -> int:
        """Published counts that the tree does not have."""
        return sum(each.found != each.published for each in self.compared)


def check(layout: Layout, tree: SourceTree, scan: Scan, *, seed: int = 0) -> Check:
    """What is there, missing and unexpected in a scanned tree; `seed` is that of derived splits.

    Published counts are compared with the splits that the dataset itself gives.
    """
    clips = derive(scan.clips, seed)
    return Check(
        layout=layout.name,
        root=str(tree.root),
        files=len(tree.sizes),
        bytes=sum(tree.sizes.values()),
        clips=len(clips),
        groups=_groups(clips, tree),
        compared=[
            Compared(where=each.where, published=each.clips, found=sum(_is(clip, each.where) for clip in scan.clips))
            for each in layout.published
            if _is_asked(each.where, scan.clips)
        ],
        split_origin=scan.split_origin,
        shared_identities=shared_identities(clips),
        missing=scan.missing,
        unexpected=scan.unexpected,
        unused=unused(tree, scan),
        empty=sorted(clip.first for clip in clips if not clip.source_bytes),
        notes=scan.notes[: len(scan.notes) - bool(scan.missing) - bool(scan.unexpected)],  # `scan_of` adds those last
        lacking=lacking((clip.split, clip.label) for clip in clips),
    )


_PARTS = ("dataset", "media", "quality")  # of which a tree or a conversion may hold one alone


def _is_asked(where: Mapping[str, str], clips: Sequence[Clip]) -> bool:
    """Whether there is any clip of the form, compression and part that a published count is of."""
    return all(any(getattr(clip, part) == where[part] for clip in clips) for part in _PARTS if part in where)


def _is(clip: Clip, where: Mapping[str, str]) -> bool:
    return all(str(getattr(clip, column)) == value for column, value in where.items())


def _groups(clips: Sequence[Clip], tree: SourceTree) -> list[Group]:
    members: dict[tuple[str, int, str, str], list[Clip]] = {}
    for clip in clips:
        members.setdefault((clip.dataset, clip.label, clip.raw_method, clip.method), []).append(clip)
    counted: set[str] = set()
    groups = []
    for (dataset, label, raw_method, method), group in sorted(members.items()):
        files = {path for clip in group for path in ((clip.archive,) if clip.archive else clip.paths)} - counted
        counted |= files
        by_split = Counter(clip.split for clip in group)
        groups.append(
            Group(
                dataset=dataset,
                raw_method=raw_method,
                method=method,
                label=label,
                clips=len(group),
                bytes=sum(tree.sizes.get(path, 0) for path in files),
                splits={split: by_split[split] for split in SPLITS if by_split[split]},
            )
        )
    return groups
