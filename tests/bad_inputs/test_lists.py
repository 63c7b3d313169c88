"""Lists and tables from strangers: what cannot be meant is refused in a line, and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataengine.convert import convert
from dataengine.errors import LayoutError
from dataengine.layouts.metadata import inside, parsed_json, read_rows
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.source import list_source

PAIRS = json.dumps([["000", "001"]])

SPLITS: dict[str, tuple[bytes, str]] = {
    "nested 10,000 deep": (b"[" * 10_000 + b"]" * 10_000, "is nested too deeply for any dataset's list"),
    "cut off": (PAIRS.encode()[:-4], "is not valid JSON"),
    "empty": (b"", "is not valid JSON"),
    "another type": (b'{"train": 1}', r"is not a list of \[id, id\] pairs"),
    "names for pairs": (b'["000", "001"]', r"is not a list of \[id, id\] pairs"),
    "three for two": (b'[["000", "001", "002"]]', r"is not a list of \[id, id\] pairs"),
    "no number": (b'[[NaN, "001"]]', r"is not a list of \[id, id\] pairs"),
    "objects for ids": (b'[[{"id": 0}, "001"]]', r"is not a list of \[id, id\] pairs"),
    "a number of 5,000 digits": (b"[[" + b"9" * 5000 + b", 1]]", "is not valid JSON"),
    "an empty list": (b"[]", "id 000 is in none of the split files"),
    "not UTF-8": (b'[["000", "caf\xe9"]]', r"is no text file \(UTF-8\)"),
    "binary": (bytes(range(256)), r"is no text file \(UTF-8\)"),
}
"""Of FF++: the train list's bytes, and what is said."""

TEST_LISTS: dict[str, tuple[bytes, str]] = {
    "a label of its own": (b"2 Celeb-real/id0_0000.mp4\n", "line 1 is not '0|1 FOLDER/NAME.mp4'"),
    "climbs out": (b"1 ../../etc/passwd\n", "line 1 is not '0|1 FOLDER/NAME.mp4'"),
    "absolute": (b"1 /etc/passwd\n", "line 1 is not '0|1 FOLDER/NAME.mp4'"),
    "a web page": (b"<html>Sign in</html>\n", "line 1 is not '0|1 FOLDER/NAME.mp4'"),
    "not UTF-8": (b"\xff\xfe1\x00", r"is no text file \(UTF-8\)"),
}
"""Of Celeb-DF."""


def refused(layout: str, root: Path, message: str) -> None:
    out = root.parent / "out"
    with pytest.raises(LayoutError, match=message) as error:
        convert(layout, root, out, ConvertSettings(), ScanOptions())
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500
    assert not out.exists()


@pytest.mark.parametrize("case", SPLITS)
def test_a_split_file_that_means_nothing_is_refused(case: str, tmp_path: Path) -> None:
    root = tmp_path / "ff"
    folder = root / "original_sequences/youtube/c23/videos"
    folder.mkdir(parents=True)
    (folder / "000.mp4").write_bytes(b"never opened")
    (root / "splits").mkdir()
    for split, data in (("train", SPLITS[case][0]), ("val", b"[]"), ("test", b"[]")):
        (root / "splits" / f"{split}.json").write_bytes(data)
    refused("ff++", root, SPLITS[case][1])


@pytest.mark.parametrize("case", TEST_LISTS)
def test_a_test_list_that_means_nothing_is_refused(case: str, tmp_path: Path) -> None:
    root = tmp_path / "celeb"
    (root / "Celeb-real").mkdir(parents=True)
    (root / "Celeb-real" / "id0_0000.mp4").write_bytes(b"never opened")
    (root / "List_of_testing_videos.txt").write_bytes(TEST_LISTS[case][0])
    refused("celeb-df", root, TEST_LISTS[case][1])


TABLES: dict[str, tuple[bytes, list[dict[str, str]] | str]] = {
    "a byte order mark": (b"\xef\xbb\xbfpath,label\na.mp4,0\n", [{"path": "a.mp4", "label": "0"}]),
    "Windows line ends": (b"path,label\r\na.mp4,0\r\n", [{"path": "a.mp4", "label": "0"}]),
    "a line end in quotes": (b'path,label\n"a\nb.mp4",0\n', [{"path": "a\nb.mp4", "label": "0"}]),
    "a header alone": (b"path,label\n", []),
    "empty": (b"", r"has no column path, label \(it has nothing\)"),
    "other columns": (b"file,class\na.mp4,0\n", r"has no column path, label \(it has file, class\)"),
    "a column twice": (b"path,label,path\na,0,b\n", "has two columns of one name in its header"),
    "a short row": (b"path,label\na.mp4\n", "line 2 has 1 fields where the header has 2; mend it"),
    "a long row": (b"path,label\na.mp4,0,1\n", "line 2 has 3 fields where the header has 2; mend it"),
    "an open quotation mark": (b'path,label\n"a.mp4,0\nb.mp4,1\n', "is no CSV"),
    "a field of 200 kB": (b"path,label\n" + b"a" * 200_000 + b",0\n", "is no CSV"),
    "not UTF-8": (b"path,label\n\xe9.mp4,0\n", r"is no text file \(UTF-8\)"),
    "a spreadsheet": (b"PK\x03\x04\xff\xff", r"is no text file \(UTF-8\)"),
}
"""A table with columns path and label: its bytes, and its rows or what is said."""


@pytest.mark.parametrize("case", TABLES)
def test_a_table_is_read_in_full_or_refused(case: str, tmp_path: Path) -> None:
    data, expected = TABLES[case]
    (tmp_path / "list.csv").write_bytes(data)

    def rows() -> list[dict[str, str]]:
        return [row for _, row in read_rows(list_source(tmp_path), "list.csv", ("path", "label"))]

    if isinstance(expected, list):
        assert rows() == expected
        return
    with pytest.raises(LayoutError, match=expected) as error:
        rows()
    assert "\n" not in str(error.value)


OUTSIDE = (
    "../../etc/passwd",
    "/etc/passwd",
    "a/../../b",
    "a/..",
    "..",
    "",
    ".",
    "././",
    "C:\\Windows\\x.mp4",
    "C:/x.mp4",
    "\\\\server\\share\\x.mp4",
    "a\0b.mp4",
    "..\\..\\x.mp4",
    "file:///etc/passwd",
)


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_listed_path_never_leaves_the_folder(path: str) -> None:
    with pytest.raises(LayoutError, match=r"list.csv line 7: .* is no path below the dataset's folder; mend the list"):
        inside(path, "list.csv line 7")


@pytest.mark.parametrize(
    ("text", "read"),
    [("./a/b.mp4", "a/b.mp4"), ("a\\b.mp4", "a/b.mp4"), ("a//./b.mp4", "a/b.mp4"), ("...a/..b.mp4", "...a/..b.mp4")],
)
def test_a_listed_path_is_read_as_its_author_meant_it(text: str, read: str) -> None:
    assert inside(text, "list.csv line 7") == read


@pytest.mark.parametrize("opening", ['{"a":', "["])
def test_json_of_any_depth_is_refused_not_followed(opening: str) -> None:
    with pytest.raises(LayoutError, match=r"x.json is (nested too deeply|not valid JSON)"):
        parsed_json(opening * 100_000, "x.json")
