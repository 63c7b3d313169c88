"""A dataset's own lists and tables: JSON and CSV from strangers, read with a clear line for whatever is wrong."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from dataengine.errors import LayoutError
from dataengine.source import SourceTree

_MAX_DIGITS = 18


def read_json(tree: SourceTree, path: str) -> Any:
    """A JSON file's value. Raises LayoutError where it is missing, no JSON, or nested deeper than can be read."""
    return parsed_json(tree.read_text(path), tree.shown(path))


def parsed_json(text: str, name: str) -> Any:
    """JSON text as a value; `name` is the file's in a LayoutError."""
    try:
        return json.loads(text)
    except RecursionError:
        raise LayoutError(f"{name} is nested too deeply for any dataset's list; get the file again") from None
    except ValueError as error:
        raise LayoutError(f"{name} is not valid JSON ({str(error)[:100]}); get the file again") from None


def read_rows(
    tree: SourceTree, path: str, columns: Sequence[str] = (), *, delimiter: str = ","
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a header, each with its line number (from 1, the header's).

    An unnamed column is "". Raises LayoutError where the file is missing, lacks one of `columns`, names one twice, or
    has a row of another length.
    """
    return parsed_rows(tree.read_text(path), tree.shown(path), columns, delimiter=delimiter)


def parsed_rows(
    text: str, name: str, columns: Sequence[str] = (), *, delimiter: str = ","
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of CSV text; `name` is the file's in a LayoutError. See `read_rows`."""
    # Strict: a quotation mark that is never closed would swallow the rows behind it.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        if absent := [column for column in columns if column not in header]:
            held = ", ".join(header) or "nothing"
            raise LayoutError(f"{name} has no column {', '.join(absent)} (it has {held}); get the file again")
        if len(set(header)) < len(header):
            raise LayoutError(f"{name} has two columns of one name in its header; get the file again")
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise LayoutError(
                    f"{name} line {reader.line_num} has {len(row)} fields where the header has {len(header)}; mend it"
                )
            yield reader.line_num, dict(zip(header, (value.strip() for value in row), strict=True))
    except csv.Error as error:
        raise LayoutError(f"{name} line {reader.line_num} is no CSV ({error}); get the file again") from None


def whole_number(text: str) -> int:
    """The number that ASCII digits spell, -1 for any other text and for more digits than anything counted here has."""
    return int(text) if len(text) <= _MAX_DIGITS and text.isascii() and text.isdigit() else -1


def inside(name: str, where: str) -> str:
    """A path that a list gives, as one below the root.

    Backslashes become slashes, "./" goes. Raises LayoutError, saying `where` it stands, for an empty or absolute path
    and for one that climbs out of the root.
    """
    path = name.replace("\\", "/").removeprefix("./")
    parts = path.split("/")
    kept = [part for part in parts if part not in ("", ".")]
    if not kept or path.startswith("/") or ".." in parts or "\0" in path or parts[0].endswith(":"):
        raise LayoutError(f"{where}: '{name[:200]}' is no path below the dataset's folder; mend the list")
    return "/".join(kept)
