"""FakeAVCeleb v1.2.

    meta_data.csv
    {RealVideo-RealAudio,RealVideo-FakeAudio,FakeVideo-RealAudio,FakeVideo-FakeAudio}/
        Asian (East)/women/id00056/00028_id02332_wavtolip.mp4

The header is `source,target1,target2,method,category,type,race,gender,path,`: the column "path" holds the file's name,
and the one without a name its folder, which begins with FakeAVCeleb/ whatever the root is called.

A video counts as fake where its pictures are: categories C and D. Those of B are real to the eye, with a cloned voice:
label real, raw method rtvc. The folder idNNNNN is the person of the footage. The other person (face, or voice that
drives the mouth) is target1 or target2, which also hold numbers and dashes, or else an id in the file's name; a video
that was swapped and then lip-synced may have two such people, of whom the first is kept.

Some files (22 in the official table) stand in two rows, as faceswap-wav2lip and as wav2lip. They are one clip, and the
longer chain counts: both rows say that the mouth was made, and one of them says what the other leaves out
(github.com/SCLBD/DeepfakeBench-MM takes them for both, one after the other). There is no official split.
Source: github.com/DASH-Lab/FakeAVCeleb (README); the table as many public readers read it, that one among them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.metadata import inside, read_rows
from dataengine.layouts.scan import Layout, Published, Scan, ScanOptions, scan_of
from dataengine.records import REAL, Clip, clip_id
from dataengine.source import VIDEO_SUFFIXES, SourceTree

TABLE = "meta_data.csv"
COLUMNS = ("source", "target1", "target2", "method", "category", "type", "race", "gender", "path", "")
TYPES = {
    "A": "RealVideo-RealAudio",
    "B": "RealVideo-FakeAudio",
    "C": "FakeVideo-RealAudio",
    "D": "FakeVideo-FakeAudio",
}
_FAKE = ("C", "D")
_PERSON = re.compile(r"id\d+")
_IN_NAME = re.compile(r"(?<![a-zA-Z0-9])id\d+(?![a-zA-Z0-9])")

Row = Mapping[str, str]


def is_tree(tree: SourceTree) -> bool:
    """Whether the root looks like FakeAVCeleb."""
    return tree.is_file(TABLE) and any(tree.is_dir(folder) for folder in TYPES.values())


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """All listed videos. Raises LayoutError where a row is not as the table's columns promise, naming its line."""
    rows: dict[str, Row] = {}
    twice: dict[str, None] = {}
    for number, row in read_rows(tree, TABLE, COLUMNS):
        where = f"{tree.shown(TABLE)} line {number}"
        path = _path(row, where)
        if path in rows:
            twice[path] = None
        rows[path] = _longer(rows[path], row, where) if path in rows else row
    clips = [_clip(path, row) for path, row in rows.items() if tree.is_file(path)]
    notes = []
    if twice:
        notes.append(
            f"{len(twice)} files stand in several rows of {TABLE} (first: {next(iter(twice))}); the longer chain counts"
        )
    if voices := sum(clip.raw_method == "rtvc" for clip in clips):
        notes.append(f"{voices:,} videos of category B count as real: only their voice is fake (raw method rtvc)")
    return scan_of(
        clips,
        tree,
        "derived by identity",
        notes,
        missing=(path for path in rows if not tree.is_file(path)),
        unexpected=(path for path in tree.below("", VIDEO_SUFFIXES) if path not in rows),
    )


def _path(row: Row, where: str) -> str:
    """Below the root. The row's columns must agree with it and with each other."""
    top, _, folder = inside(row[""], where).partition("/")
    parts = folder.split("/")
    if top != "FakeAVCeleb" or len(parts) != 4 or not _PERSON.fullmatch(parts[-1]):
        raise LayoutError(f"{where}: '{row['']}' is not FakeAVCeleb/TYPE/RACE/GENDER/idNNNNN; get the table again")
    if parts[0] != row["type"] or TYPES.get(row["category"]) != row["type"]:
        raise LayoutError(
            f"{where}: category '{row['category']}', type '{row['type']}' and folder '{parts[0]}' are not of one kind; "
            "get the table again"
        )
    try:
        method = methods.canonical("fakeavceleb", row["method"])
    except LayoutError as error:
        raise LayoutError(f"{where}: {error}") from None
    if (method.name == REAL) == (row["category"] in _FAKE):
        raise LayoutError(
            f"{where}: the method '{row['method']}' is none of category {row['category']}; get the table again"
        )
    return f"{folder}/{inside(row['path'], where)}"


def _longer(one: Row, other: Row, where: str) -> Row:
    """Of two rows about one file, that with the longer chain of methods."""
    short, long = sorted((one, other), key=lambda row: len(row["method"]))
    if long["method"] != short["method"] and not long["method"].endswith(f"-{short['method']}"):
        raise LayoutError(
            f"{where}: '{other['path']}' is '{other['method']}' here and '{one['method']}' in a line above; remove one"
        )
    return long


def _clip(path: str, row: Row) -> Clip:
    method = methods.canonical("fakeavceleb", row["method"])
    person = path.split("/")[-2]
    named = [row["target1"], row["target2"], *_IN_NAME.findall(row["path"])]
    other = next((name for name in named if _PERSON.fullmatch(name) and name != person), "")
    return Clip(
        clip=clip_id("fakeavceleb", path),
        paths=(path,),
        media="video",
        dataset="fakeavceleb",
        split="",
        raw_method=row["method"],
        method=method.name,
        category=method.category,
        quality="",
        target_id=f"fakeavceleb/{person}",
        source_id=f"fakeavceleb/{other}" if other and method.name != REAL else "",
    )


LAYOUT = Layout(
    name="fakeavceleb",
    scan=scan,
    is_tree=is_tree,
    expects="meta_data.csv, RealVideo-RealAudio/, FakeVideo-FakeAudio/ and the other two",
    title="FakeAVCeleb v1.2",
    licence="research, by form, with an ethics statement; not to be passed on",
    access="the form in the repository DASH-Lab/FakeAVCeleb",
    certainty="table, folders and counts: many readers that agree; the counts are of rows, 22 files stand in two; "
    "the second person of a fake: from the columns and names",
    published=(
        Published(where={"raw_method": "real"}, clips=500),
        Published(where={"raw_method": "rtvc"}, clips=500),
        Published(where={"label": "1"}, clips=20544),
    ),
)
