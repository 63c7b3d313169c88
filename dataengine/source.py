"""A dataset's files as they came: a folder listed once, here or behind a URL."""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dataengine.errors import LayoutError
from dataengine.place import Place, place_of
from dataengine.remote import RemotePath
from dataengine.store import DATASET_FILE, TABLES
from dataengine.whole import PARTS

_PLAN = f"/{PARTS}/plan.json"
_DIGITS = re.compile(r"([0-9]+)")
_TEXT_LIMIT = 1 << 30  # bytes of a list or metadata file; the longest official one has 200 MB
_MAX_DEPTH = 100  # folders; layouts go down a tree by recursion

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True)
class SourceTree:
    """The files below a root. All paths are relative to it, with forward slashes; "" is the root itself."""

    root: Place
    sizes: Mapping[str, int] = field(repr=False)
    """Bytes of every file, hidden ones, those in hidden folders and stores left out."""

    @cached_property
    def _entries(self) -> dict[str, tuple[dict[str, None], list[str]]]:
        """Subfolders and files of each folder; of subfolders there may be 100,000, so they are looked up."""
        entries: dict[str, tuple[dict[str, None], list[str]]] = defaultdict(lambda: ({}, []))
        for path in self.sizes:
            folder = path.rpartition("/")[0]
            entries[folder][1].append(path)
            while folder and folder not in entries[parent := folder.rpartition("/")[0]][0]:
                entries[parent][0][folder] = None
                folder = parent
        return dict(entries)

    def folders(self, folder: str = "") -> list[str]:
        """Its subfolders that hold a file at any depth, sorted by name; none where it does not exist."""
        return sorted(self._entries.get(folder, ({}, []))[0])

    def files(self, folder: str, suffixes: frozenset[str]) -> list[str]:
        """The files directly in it with one of the suffixes (lower case; they match any case), sorted as people
        count: the frame 10 comes after 9."""
        found = self._entries.get(folder, ({}, []))[1]
        return sorted((path for path in found if suffix(path) in suffixes), key=as_counted)

    def below(self, folder: str, suffixes: frozenset[str]) -> list[str]:
        """The files at any depth below it with one of the suffixes, folder by folder."""
        return [
            *self.files(folder, suffixes),
            *(path for inner in self.folders(folder) for path in self.below(inner, suffixes)),
        ]

    def is_file(self, path: str) -> bool:
        """Whether there is such a file."""
        return path in self.sizes

    def is_dir(self, path: str) -> bool:
        """Whether there is such a folder with a file below it."""
        return path in self._entries

    def read_text(self, path: str, encodings: Sequence[str] = ("utf-8-sig",)) -> str:
        """A small text file in full, in the first of the encodings that fits.

        Raises LayoutError where it is missing, too large, or of none of them.
        """
        if path not in self.sizes:
            raise LayoutError(f"{self.shown(path)} is missing; it comes with the dataset: put it back")
        if self.sizes[path] > _TEXT_LIMIT:
            raise LayoutError(f"{self.shown(path)} has {self.sizes[path]:,} bytes, too many for a list; replace it")
        return decoded((self.root / path).read_bytes(), self.shown(path), encodings)

    def shown(self, path: str) -> str:
        """The path as a message names it."""
        return str(self.root / path) if path else str(self.root)


def decoded(data: bytes, name: str, encodings: Sequence[str] = ("utf-8-sig",)) -> str:
    """The text of a file in the first of the encodings that fits; UTF-8 with or without a byte order mark.

    Raises LayoutError, naming the file.
    """
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    known = " or ".join("UTF-8" if encoding == "utf-8-sig" else encoding for encoding in encodings)
    raise LayoutError(f"{name} is no text file ({known}); get it again from where the dataset came from")


def suffix(path: str) -> str:
    """What follows the last dot of a file's name, with it, in lower case."""
    return os.path.splitext(path)[1].lower()


def as_counted(path: str) -> list[tuple[int, str]]:
    """A key that sorts names as people count."""
    parts = _DIGITS.split(path.rpartition("/")[2])  # text and digits in turn
    # By length first: of a name in an archive the digits may be more than Python makes a number of.
    return [
        (len(digits := part.lstrip("0")), f"{digits} {part}") if i % 2 else (0, part) for i, part in enumerate(parts)
    ]


def list_source(root: str | Path | Place, *, sample: str = "NAME") -> SourceTree:
    """List a dataset's folder. Stores in it, finished or not, are no part of it: it may well hold the one made from it.

    Raises LayoutError where there is no such folder (it then names the miniature `sample`), for a link to a folder that
    is listed already (its clips would count twice), for a link to nothing, for what is neither file nor folder, and for
    folders nested absurdly deep.
    """
    place = place_of(root) if isinstance(root, str) else root
    if isinstance(place, RemotePath):
        sizes = place.all_sizes()
        if not sizes:
            raise LayoutError(f"nothing lies below {place}; check the bucket and the path")
        stores = {path.rpartition("/")[0] for path in sizes if path.endswith(f"/{DATASET_FILE}")}
        stores = {folder for folder in stores if all(f"{folder}/{table}" in sizes for table in TABLES)}
        stores |= {path.removesuffix(_PLAN) for path in sizes if path.endswith(_PLAN)} - {""}
        kept = {path: size for path, size in sizes.items() if not _apart(path, stores)}
        return _no_deeper(SourceTree(place, kept))
    if not place.is_dir():
        hint = f"give the dataset's folder with --root, or try `dfx sample {sample}` first"
        raise LayoutError(f"no folder {place}; {hint}")
    return _no_deeper(SourceTree(place, dict(_walk(place))))


def _no_deeper(tree: SourceTree) -> SourceTree:
    deep = next((path for path in tree.sizes if path.count("/") > _MAX_DEPTH), None)
    if deep is not None:
        raise LayoutError(
            f"{tree.shown(deep)[:200]}… lies more than {_MAX_DEPTH} folders deep; move it out of the tree"
        )
    return tree


def _walk(root: Path) -> Iterator[tuple[str, int]]:
    seen = {os.path.realpath(root): ""}
    pending = [""]
    while pending:
        folder = pending.pop()
        entries = _listed(root / folder)
        if folder and _is_store(root / folder, {entry.name for entry in entries}):
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith("."):
                continue
            mode = _mode(entry)
            if stat.S_ISDIR(mode):
                if entry.is_symlink():
                    _refuse_twice(root, path, seen)
                seen[os.path.realpath(root / path)] = path
                pending.append(path)
            elif stat.S_ISREG(mode):
                yield path, entry.stat().st_size
            else:
                raise LayoutError(f"{root / path} is a pipe, socket or device; remove it from the dataset's folder")


def _mode(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_mode
    except OSError as error:
        if not entry.is_symlink():
            raise LayoutError(f"{entry.path} cannot be read ({error.strerror}); check its permissions") from None
        raise LayoutError(f"{entry.path} is a link to nothing; restore what it points to, or remove it") from None


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise LayoutError(f"{folder} cannot be read ({error.strerror}); check its permissions") from None


def _refuse_twice(root: Path, path: str, seen: Mapping[str, str]) -> None:
    real = Path(os.path.realpath(root / path))
    top = Path(os.path.realpath(root))
    if str(real) in seen or real.is_relative_to(top) or top.is_relative_to(real):
        raise LayoutError(
            f"{root / path} is a link to a folder that is read already; remove it, or its clips count twice"
        )


def _is_store(folder: Path, names: set[str]) -> bool:
    return names.issuperset((DATASET_FILE, *TABLES)) or os.path.exists(f"{folder}{_PLAN}")


def _apart(path: str, stores: Collection[str]) -> bool:
    """Whether a path is hidden, or lies in a store."""
    parts = path.split("/")
    if any(part.startswith(".") for part in parts):
        return True
    return bool(stores) and any("/".join(parts[:end]) in stores for end in range(1, len(parts)))
