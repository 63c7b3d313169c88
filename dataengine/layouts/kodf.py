"""KoDF, the Korean deepfake detection dataset, as AI-Hub gives it out.

    **/원본영상_{training,validation}_메타데이터.csv       reals: 영상ID (file name), UUID (person), ...
    **/변조영상_{training,validation}_메타데이터.csv       fakes: 영상ID, 타겟UUID (footage), 소스UUID, 변조모델
    **/<영상ID>                                        each video once, whatever folder its archive unpacked to

Labels, methods and identities come from the tables, never from folders, whose names differ from archive to archive.
Videos below a folder named 탐지방해 (changed so as to hinder detection) are described by no table: they are in no clip.
The tables are UTF-8 in some copies and cp949 in others; names composed or decomposed (as macOS writes Korean) are
one. The official parts are train and val; AI-Hub gives out no test.

The methods are dfl (DeepFaceLab), dffs (FaceSwap), fsgan, fo (first-order motion) and audio-driven (ATFHP and
Wav2Lip).

Source: the site and paper of the dataset for the numbers and methods (github.com/deepbrainai-research/kodf); the
tables and the tree are as public programs read them (among them github.com/HanMoonSub/DeepGuard). The tree that the
authors give to people outside Korea is not known: list it and use `dfx shard manifest`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from dataengine import methods
from dataengine.errors import LayoutError
from dataengine.layouts.metadata import parsed_rows
from dataengine.layouts.scan import Layout, Published, Scan, ScanOptions, scan_of
from dataengine.records import Clip, clip_id
from dataengine.source import VIDEO_SUFFIXES, SourceTree, suffix

_TABLE = re.compile(r"(?P<kind>원본|변조)영상_(?P<part>training|validation)_메타데이터\.csv")
_SPLITS = {"training": "train", "validation": "val"}
_VIDEO, _PERSON, _TARGET, _SOURCE, _MODEL = "영상ID", "UUID", "타겟UUID", "소스UUID", "변조모델"
_COLUMNS = {"원본": (_VIDEO, _PERSON), "변조": (_VIDEO, _TARGET, _SOURCE, _MODEL)}
_HINDERING = "탐지방해"
_ENCODINGS = ("utf-8-sig", "cp949")


def is_tree(tree: SourceTree) -> bool:
    """Whether one of KoDF's tables lies below the root."""
    return next(_tables(tree), None) is not None


def scan(tree: SourceTree, options: ScanOptions) -> Scan:
    """A clip for each video that a table describes.

    Raises LayoutError for a table without the columns, a video that two rows or two files claim, or a method that
    KoDF does not have.
    """
    described: dict[str, tuple[str, dict[str, str], str]] = {}
    for path, kind, part in _tables(tree):
        shown = tree.shown(path)
        for line, row in parsed_rows(tree.read_text(path, _ENCODINGS), shown, _COLUMNS[kind]):
            name = _stem(row[_VIDEO])
            if not name or name in described:
                why = "is described twice" if name else "has no name"
                raise LayoutError(f"{shown} line {line}: the video '{row[_VIDEO]}' {why}; get the table again")
            described[name] = (kind, row, _SPLITS[part])
    found: dict[str, str] = {}
    hindering, unexpected = 0, []
    for path in tree.below("", VIDEO_SUFFIXES):
        name = _stem(path)
        if _HINDERING in _composed(path.rpartition("/")[0]):
            hindering += 1
        elif name not in described:
            unexpected.append(path)
        elif name in found:
            raise LayoutError(f"{tree.shown(path)} and {found[name]} are one video of kodf; keep one of them")
        else:
            found[name] = path
    clips = [_clip(path, *described[name]) for name, path in found.items()]
    notes = [f"{hindering:,} videos changed to hinder detection ({_HINDERING}) are in no clip"] if hindering else []
    missing = [row[_VIDEO] for name, (_, row, _) in described.items() if name not in found]
    return scan_of(
        clips, tree, "the official parts: train and val; no test", notes, missing=missing, unexpected=unexpected
    )


def _tables(tree: SourceTree) -> Iterator[tuple[str, str, str]]:
    """Each table with its kind and part."""
    for path in sorted(path for path in tree.sizes if suffix(path) == ".csv"):
        if match := _TABLE.fullmatch(_composed(path).rpartition("/")[2]):
            yield path, match["kind"], match["part"]


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _stem(name: str) -> str:
    """A video's name without folder and suffix; tables write it with the suffix or without."""
    return re.sub(r"\.\w+$", "", _composed(name).rpartition("/")[2])


def _clip(path: str, kind: str, row: dict[str, str], split: str) -> Clip:
    raw_method = "original" if kind == "원본" else row[_MODEL].replace("_", "-")
    method = methods.canonical("kodf", raw_method)
    target, source = (row[_PERSON], "") if kind == "원본" else (row[_TARGET], row[_SOURCE])
    return Clip(
        clip=clip_id("kodf", f"{split}/{raw_method}/{_composed(path).rpartition('/')[2]}"),
        paths=(path,),
        media="video",
        dataset="kodf",
        split=split,
        raw_method=raw_method,
        method=method.name,
        category=method.category,
        quality="",
        target_id=f"kodf/{target or _stem(path)}",
        source_id=f"kodf/{source}" if source else "",
    )


LAYOUT = Layout(
    name="kodf",
    scan=scan,
    is_tree=is_tree,
    expects="원본영상_training_메타데이터.csv and its like from AI-Hub; for another tree use `dfx shard manifest`",
    title="KoDF, as AI-Hub gives it out",
    size="2.8 TB of archives at AI-Hub",
    licence="terms of AI-Hub (as its users report, the data may not leave Korea), or of the authors' form",
    access="AI-Hub for Koreans, else the form in the repository deepbrainai-research/kodf",
    certainty="numbers and methods: the dataset's site; tables, columns, tree and size: other people's programs",
    published=(
        Published(where={"raw_method": "original", "split": "train"}, clips=49_419),
        Published(where={"raw_method": "original", "split": "val"}, clips=6093),
        *(
            Published(where={"raw_method": method, "split": split}, clips=clips)
            for method, train, val in (
                ("dfl", 27_680, 3153),
                ("dffs", 28_962, 3501),
                ("fsgan", 18_796, 2503),
                ("fo", 49_586, 5853),
                ("audio-driven", 14_927, 1884),
            )
            for split, clips in (("train", train), ("val", val))
        ),
    ),
)
