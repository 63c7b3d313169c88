"""Any dataset that one CSV or Parquet file describes: a row for each video, part of a video, image or folder of frames.

    path,label,method,raw_method,split,target_id,source_id,quality,clip,dataset,archive,frame,start,stop

`path` and one of `label` and `method` are needed, the others may be left out: docs/datasets.md says what each means.
Nothing is guessed: what contradicts itself is an error that gives the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from dataengine.errors import LayoutError
from dataengine.layouts.listed import below, name_of, none_there, read_listing
from dataengine.layouts.metadata import inside
from dataengine.layouts.rows import Row, clip_name, identity_of, method_of, number_of, span_of, split_of
from dataengine.layouts.scan import Layout, Scan, ScanOptions, scan_of
from dataengine.records import INDEX_SCHEMA, REAL, Clip, Media, clip_id
from dataengine.source import IMAGE_SUFFIXES, VIDEO_SUFFIXES, SourceTree, as_counted, suffix

_ARCHIVES = (".tar", ".tar.gz", ".tgz")
_OF_A_CLIP = slice(Row._fields.index("label"), Row._fields.index("archive") + 1)
"""The columns in which all rows of a clip agree."""


@dataclass(slots=True)
class _Gathered:
    """The rows of one clip so far."""

    row: Row
    """The first one."""
    number: int
    """Its line."""
    media: Media
    files: list[tuple[int, str]] = field(default_factory=list)
    """Frame number (-1 where none is given) and path."""
    ranges: list[tuple[int, int]] = field(default_factory=list)


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """All clips of the list. Raises LayoutError, with file and line, for the first row that is wrong."""
    listing = options.listing
    with read_listing(listing, Row._fields, "path") as table:
        reading = _Reading(tree, options.name or name_of(listing), table.unit)
        for number, values in table.rows:
            try:
                reading.add(number, Row._make(values))
            except LayoutError as error:
                raise LayoutError(f"{listing} {table.unit} {number}: {error}") from None
    try:
        clips = reading.finished()
    except LayoutError as error:
        raise LayoutError(f"{listing}: {error}") from None
    if not clips:
        raise none_there(listing, tree, reading.missing)
    # `dfx export` writes the index's other columns too, which its images give again.
    ours = INDEX_SCHEMA.names if {"key", "xxh3"} <= set(table.unknown) else ()
    unknown = [name for name in table.unknown if name not in ours]
    notes = [f"columns that dfx does not know are left out: {', '.join(unknown)}"] if unknown else []
    if not any(clip.label == 0 for clip in clips):
        notes.append("no row is real: every clip counts as a fake")
    origin, note = _origin(clips)
    return scan_of(clips, tree, origin, [*notes, *note], missing=reading.missing)


def _origin(clips: Sequence[Clip]) -> tuple[str, list[str]]:
    num_open = sum(not clip.split for clip in clips)
    if not num_open:
        return "the list's", []
    if num_open == len(clips):
        return "derived by identity", []
    note = f"{num_open:,} of {len(clips):,} clips have no split in the list: one is derived for them by identity"
    return f"the list's; derived by identity for {num_open:,} of {len(clips):,} clips", [note]


class _Reading:
    """A manifest that is being read, row by row."""

    def __init__(self, tree: SourceTree, dataset: str, unit: str) -> None:
        self.missing: list[str] = []
        self._tree = tree
        self._below = below(tree)
        self._dataset = dataset
        self._unit = unit
        self._lines: dict[str, int] = {}
        """The first line of each file."""
        self._spans: dict[str, list[tuple[int, int, int]]] = {}
        """Of each video of which parts are listed: start, stop, line."""
        self._clips: list[Clip] = []
        self._gathered: dict[tuple[str, str], _Gathered] = {}

    def add(self, number: int, row: Row) -> None:
        """Take a row in. Raises LayoutError, without its place, for one that is wrong."""
        path = inside(row.path, "path") if row.archive else self._below(row.path)
        archive = self._below(row.archive) if row.archive else ""
        if not row.dataset or path != row.path or archive != row.archive:
            row = row._replace(path=path, dataset=row.dataset or self._dataset, archive=archive)
        media, files = self._files(path, archive)
        span = span_of(row, media)
        for file in files or (path,):
            self._once(file, archive, span, number)
        _, method = method_of(row.label, row.method, row.dataset)
        if row.source_id and method.name == REAL:
            raise LayoutError(f"a real has the source_id '{row.source_id}'; only a fake has a source")
        split_of(row.split)
        if not files:
            self.missing.append(archive or path)
        elif row.clip or span or files[0] != path:
            self._gather(number, row, media, files, span)
        elif row.frame:
            raise LayoutError(f"frame {row.frame} of no clip; name the clip in the column 'clip'")
        else:
            named = clip_id(row.dataset, f"{archive}/{path}" if archive else path)
            self._clips.append(self._clip(row, named, media, (path,)))

    def finished(self) -> list[Clip]:
        """All clips. Raises LayoutError where rows do not fit together."""
        for path, spans in self._spans.items():
            spans.sort()
            for (_, stop, line), (start, _, other) in pairwise(spans):
                if start < stop:
                    raise LayoutError(f"{self._unit}s {line} and {other} both take frame {start} of {path}; part them")
        gathered, self._gathered = self._gathered, {}
        for (dataset, name), clip in gathered.items():
            named = clip_name(dataset, name) if clip.row.clip else clip_id(dataset, name)
            ranges = tuple(sorted(clip.ranges))
            self._clips.append(self._clip(clip.row, named, clip.media, self._ordered(name, clip), ranges))
        return self._clips

    def _files(self, path: str, archive: str) -> tuple[Media, list[str]]:
        """What a path means: a video, an image or a folder of images; no files where it is not there."""
        ending = suffix(path)
        if archive and not archive.lower().endswith(_ARCHIVES):
            raise LayoutError(f"{archive} is no archive that dfx reads ({', '.join(_ARCHIVES)}); unpack it")
        if not archive and self._tree.is_dir(path):  # frames often lie in a folder named after their video
            if images := self._tree.files(path, IMAGE_SUFFIXES):
                return "images", images
            raise LayoutError(f"the folder {path} holds no image")
        if ending in IMAGE_SUFFIXES:
            return "images", [path] if (archive or path) in self._tree.sizes else []
        if ending in VIDEO_SUFFIXES:
            if archive:
                raise LayoutError(f"{path} is a video in an archive; unpack {archive}")
            return "video", [path] if path in self._tree.sizes else []
        if ending or archive or path in self._tree.sizes:
            raise LayoutError(f"{path} is neither a video nor an image nor a folder; take the row out")
        return "images", []

    def _once(self, path: str, archive: str, span: tuple[int, int] | None, number: int) -> None:
        """Refuse a file that is listed already, unless both rows are parts of a video."""
        first = self._lines.setdefault(f"{archive}/{path}" if archive else path, number)
        if first != number and (span is None or path not in self._spans):
            raise LayoutError(f"{path} is listed in {self._unit} {first} already; take one row out")
        if span:
            self._spans.setdefault(path, []).append((*span, number))

    def _gather(self, number: int, row: Row, media: Media, files: list[str], span: tuple[int, int] | None) -> None:
        key = (row.dataset, row.clip or row.path)
        clip = self._gathered.get(key)
        if clip is None:
            clip = self._gathered[key] = _Gathered(row, number, media)
        else:
            self._same(clip, row, media)
        if len(files) > 1 and row.frame:
            raise LayoutError(f"frame {row.frame} stands beside a folder; its images are ordered by name")
        frame = number_of(row.frame, "frame") if row.frame else -1
        if media == "images" or not clip.files:
            clip.files.extend((frame, file) for file in files)
        if span:
            clip.ranges.append(span)

    def _same(self, clip: _Gathered, row: Row, media: Media) -> None:
        """Refuse a row that does not belong to the clip that it names."""
        first, at = clip.row, f"in {self._unit} {clip.number}"
        name = row.clip or row.path
        if media != clip.media or (media == "video" and row.path != first.path):
            raise LayoutError(f"clip '{name}' has {row.path} here and {first.path} {at}; a video is a clip of its own")
        if row[_OF_A_CLIP] == first[_OF_A_CLIP]:
            return
        ours, theirs = (method_of(each.label, each.method, each.dataset)[0] for each in (row, first))
        if ours != theirs:
            raise LayoutError(f"clip '{name}' is {ours} here and {theirs} {at}; name two clips")
        for column, here, there in zip(Row._fields, row, first, strict=True):
            if here != there and column in ("raw_method", "split", "target_id", "source_id", "quality", "archive"):
                raise LayoutError(f"clip '{name}' has {column} '{here}' here and '{there}' {at}; mend one")

    def _ordered(self, name: str, clip: _Gathered) -> tuple[str, ...]:
        """By frame, then by name: of one frame there may be several faces."""
        numbered = {frame >= 0 for frame, _ in clip.files}
        if len(numbered) > 1:
            raise LayoutError(f"clip '{name}' numbers some of its frames alone; give all of them a frame, or none")
        return tuple(path for _, path in sorted(clip.files, key=lambda file: (file[0], as_counted(file[1]))))

    def _clip(
        self, row: Row, named: str, media: Media, paths: tuple[str, ...], ranges: tuple[tuple[int, int], ...] = ()
    ) -> Clip:
        raw, method = method_of(row.label, row.method, row.dataset)
        sizes = self._tree.sizes
        footage = row.path if media == "video" else row.clip or row.path  # the parts of a video are one footage
        return Clip(
            clip=named,
            paths=paths,
            media=media,
            dataset=row.dataset,
            split=split_of(row.split),
            raw_method=row.raw_method or raw,
            method=method.name,
            category=method.category,
            quality=row.quality,
            target_id=identity_of(row.dataset, row.target_id or footage),
            source_id=identity_of(row.dataset, row.source_id) if row.source_id else "",
            ranges=ranges,
            archive=row.archive,
            source_bytes=sizes[row.archive] if row.archive else sum(sizes[path] for path in paths),
        )


LAYOUT = Layout(
    name="manifest",
    scan=scan,
    is_tree=lambda tree: bool(tree.sizes),
    expects="the files that the list names: dfx shard manifest FILE.csv (or .parquet)",
    title="Any dataset that one CSV or Parquet file describes",
    certainty="your own",
    named=True,
    listing="must",
    forms=("deepfakebench",),
)
