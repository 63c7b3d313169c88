"""The DeepFake Detection Challenge (DFDC).

    [train/]dfdc_train_part_{0..49}/{metadata.json,*.mp4}
    validation/{labels.csv,*.mp4}
    test/{metadata.json,labels.csv,*.mp4}

A part's metadata.json holds {"a.mp4": {"label": "FAKE", "split": "train", "original": "b.mp4"}}; a real names no
original. Validation and test come with labels.csv (also label.csv: filename,label with 1 for fake), with a
metadata.json that has `is_fake`, or both, which then must agree.

A fake and its original are one footage, and that is the identity here: DFDC names no people, and they recur between
videos. No video's method is published. Where the validation or the test set is not there, its split is derived from the
training parts by footage; others cut them by part instead (0-34, 35-39, 40-49 in
github.com/polimi-ispl/icpr2020dfdc), which `manifest` can express.
Source: the readers in github.com/polimi-ispl/icpr2020dfdc, github.com/selimsef/dfdc_deepfake_challenge and
github.com/mever-team/DeepFakeChain, which agree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.metadata import inside, read_json, read_rows
from dataengine.layouts.scan import Layout, Published, Scan, ScanOptions, scan_of
from dataengine.records import Clip, clip_id
from dataengine.source import VIDEO_SUFFIXES, SourceTree

PARTS = 50
SETS = {"validation": "val", "test": "test"}
_PART = re.compile(r"(?:train/)?dfdc_train_part_(\d+)")
_TABLES = ("labels.csv", "label.csv")


@dataclass(frozen=True, slots=True)
class _Listed:
    """A video as a list names it."""

    path: str
    label: str
    """REAL or FAKE."""
    split: str
    """"" for a training part's."""
    original: str = ""


def is_tree(tree: SourceTree) -> bool:
    """Whether the root looks like DFDC."""
    sets = (folder for folder in SETS if tree.files(folder, VIDEO_SUFFIXES))  # class folders have theirs further down
    return bool(_parts(tree)) or any(_lists(tree, folder) for folder in sets)


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """All videos that a list gives a label. Raises LayoutError for a list that is broken or contradicts another."""
    parts = _parts(tree)
    listed = [video for part in parts for video in _part(tree, part)]
    listed += [video for folder in SETS for video in _set(tree, folder)]
    by_name = _by_name(listed)
    official = {video.split for video in listed if video.split}
    whole = official == set(SETS.values())
    clips = [_clip(video, "train" if whole else "") for video in listed if tree.is_file(video.path)]
    paths = {video.path for video in listed}
    return scan_of(
        clips,
        tree,
        _split_origin(official, bool(parts)),
        _notes(parts, listed, by_name),
        missing=(path for path in paths if not tree.is_file(path)),
        unexpected=(path for path in tree.below("", VIDEO_SUFFIXES) if path not in paths),
    )


def _parts(tree: SourceTree) -> list[str]:
    return [folder for parent in ("", "train") for folder in tree.folders(parent) if _PART.fullmatch(folder)]


def _lists(tree: SourceTree, folder: str) -> list[str]:
    return [path for name in (*_TABLES, "metadata.json") if tree.is_file(path := f"{folder}/{name}")]


def _part(tree: SourceTree, folder: str) -> Iterator[_Listed]:
    path = f"{folder}/metadata.json"
    for name, entry in _entries(tree, path):
        where = f"{tree.shown(path)}: {name}"
        label, original = entry.get("label"), entry.get("original") or ""
        if label not in ("REAL", "FAKE"):
            raise LayoutError(f"{where} has the label {label!r}; it must be REAL or FAKE: get the file again")
        if not isinstance(original, str) or (original and label == "REAL"):
            raise LayoutError(f"{where} is {label} and names as its original {original!r}; get the file again")
        yield _Listed(f"{folder}/{inside(name, tree.shown(path))}", label, "", original)


def _set(tree: SourceTree, folder: str) -> list[_Listed]:
    """A set's videos; where it has two lists, those of either."""
    lists = _lists(tree, folder)
    if not lists and tree.below(folder, VIDEO_SUFFIXES):
        raise LayoutError(f"{tree.shown(folder)} has videos but neither labels.csv nor metadata.json; put one back")
    found: dict[str, _Listed] = {}
    for path in lists:
        read = _table if path.endswith(".csv") else _flags
        for name, label in read(tree, path):
            video = _Listed(f"{folder}/{inside(name, tree.shown(path))}", label, SETS[folder])
            if found.setdefault(video.path, video) != video:
                raise LayoutError(f"{tree.shown(path)} says that {name} is {label}, another line says not; mend it")
    return list(found.values())


def _table(tree: SourceTree, path: str) -> Iterator[tuple[str, str]]:
    for number, row in read_rows(tree, path, ("filename", "label")):
        if row["label"] not in ("0", "1"):
            raise LayoutError(f"{tree.shown(path)} line {number} has the label {row['label']!r}; it must be 0 or 1")
        yield row["filename"], "FAKE" if row["label"] == "1" else "REAL"


def _flags(tree: SourceTree, path: str) -> Iterator[tuple[str, str]]:
    for name, entry in _entries(tree, path):
        flag = entry.get("is_fake")
        if flag not in (0, 1):  # True and False are among them
            raise LayoutError(f"{tree.shown(path)}: {name} has is_fake {flag!r}; it must be 0 or 1")
        yield name, "FAKE" if flag else "REAL"


def _entries(tree: SourceTree, path: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    entries = read_json(tree, path)
    if not isinstance(entries, dict):
        raise LayoutError(f"{tree.shown(path)} is no object of videos; get the file again")
    for name, entry in entries.items():
        if not isinstance(entry, dict):
            raise LayoutError(f"{tree.shown(path)}: {name} is no object with a label; get the file again")
        yield name, entry


def _by_name(listed: Sequence[_Listed]) -> dict[str, _Listed]:
    """Videos by file name, by which fakes refer to originals in any part."""
    by_name: dict[str, _Listed] = {}
    for video in listed:
        other = by_name.setdefault(video.path.rpartition("/")[2], video)
        if other is not video:
            raise LayoutError(f"{video.path} and {other.path} have one name; DFDC's are unique: remove one of them")
    for video in listed:
        original = by_name.get(video.original)
        if original and original.label == "FAKE":
            raise LayoutError(
                f"{video.path} names as its original {video.original}, which is FAKE; get the lists again"
            )
    return by_name


def _clip(video: _Listed, train: str) -> Clip:
    method = methods.canonical("dfdc", video.label)
    footage = (video.original or video.path).rpartition("/")[2].rpartition(".")[0]
    return Clip(
        clip=clip_id("dfdc", video.path),
        paths=(video.path,),
        media="video",
        dataset="dfdc",
        split=video.split or train,
        raw_method=video.label,
        method=method.name,
        category=method.category,
        quality="",
        target_id=f"dfdc/{footage}",
        source_id="",
    )


def _split_origin(official: set[str], has_parts: bool) -> str:
    kept = [folder for folder, split in SETS.items() if split in official]
    if not kept:
        return "derived by footage (DFDC names no people)"
    if len(kept) == len(SETS) or not has_parts:
        return "the dataset's own sets"
    return f"official {kept[0]} set; the others derived by footage (DFDC names no people)"


def _notes(parts: Sequence[str], listed: Sequence[_Listed], by_name: Mapping[str, _Listed]) -> Iterator[str]:
    numbers = Counter(int(match[1]) for part in parts if (match := _PART.fullmatch(part)))
    absent = [number for number in range(PARTS) if number not in numbers]
    if parts and absent:
        yield f"{len(absent)} of the {PARTS} training parts are not in the tree (first: {absent[0]})"
    lost = [video for video in listed if video.original and video.original not in by_name]
    if lost:
        yield f"{len(lost):,} fakes name an original that no list has (first: {lost[0].path}); they keep its identity"
    alone = [video for video in listed if not video.split and video.label == "FAKE" and not video.original]
    if alone:
        yield f"{len(alone):,} fakes name no original (first: {alone[0].path}); each is an identity of its own"


LAYOUT = Layout(
    name="dfdc",
    scan=scan,
    is_tree=is_tree,
    expects="dfdc_train_part_N/metadata.json, validation/labels.csv, test/metadata.json or labels.csv",
    title="DeepFake Detection Challenge",
    size="the training parts about 470 GB",
    licence="the challenge's rules and data terms",
    access="Meta AI's dataset page, or the challenge's page at Kaggle",
    certainty="tree and lists: three public readers that agree; counts: the authors' paper",
    published=(
        Published(where={"label": "0"}, clips=23654),
        Published(where={"label": "1"}, clips=104500),
    ),
)
