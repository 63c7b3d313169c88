"""A list that the user gives: opened wherever it lies, its rows as text, its paths below the root."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataengine.errors import LayoutError
from dataengine.layouts.metadata import inside
from dataengine.place import Place, is_remote, place_of
from dataengine.source import SourceTree, decoded, suffix

_ROWS = 1 << 16  # of a Parquet file that are held as text at a time


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of a CSV or Parquet file; it holds few of them at a time."""

    unknown: tuple[str, ...]
    """Columns that were not asked for."""
    unit: str
    """What a row's number counts: the "line" of a CSV file (from 1, the header's), the "row" of a Parquet file."""
    rows: Iterator[tuple[int, tuple[str, ...]]]
    """Number and values, as many as columns were asked for; "" where the list has no such column or value."""


def name_of(listing: str) -> str:
    """The file's name without its suffix: what a dataset is called that has no other name."""
    return place_of(listing).name.rpartition(".")[0] or place_of(listing).name


def folder_of(listing: str) -> str:
    """The folder that the list lies in, where its paths start unless another root is given."""
    place = place_of(listing)
    if isinstance(place, Path):
        return str(place.parent)
    return str(replace(place, base=place.base.rpartition("/")[0]))


def text_of(listing: str) -> str:
    """A list of lines or JSON in full. Raises LayoutError where it cannot be read or is not UTF-8."""
    with _opened(place_of(listing)) as stream:
        return decoded(stream.read(), listing)


def beside(listing: str, name: str) -> str:
    """The text of the file `name` in the list's folder, "" where there is none."""
    place = place_of(folder_of(listing)) / name
    return text_of(str(place)) if place.exists() else ""


@contextmanager
def read_listing(listing: str, columns: Sequence[str], needed: str) -> Iterator[Listing]:
    """The `columns` of a CSV (.tsv: with tabs) or Parquet file; their names may be in any case and order.

    Raises LayoutError where the file cannot be read, is neither, lacks the column `needed`, or names one twice;
    reading on raises it for a row of another length than the header's.
    """
    ending = suffix(place_of(listing).name)
    with _opened(place_of(listing)) as stream:
        if ending in (".parquet", ".pq"):
            yield _parquet(stream, listing, columns, needed)
        else:
            yield _csv(stream, listing, columns, needed, "\t" if ending == ".tsv" else ",")


def _csv(stream: IO[bytes], name: str, columns: Sequence[str], needed: str, delimiter: str) -> Listing:
    text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=delimiter)

    def rows() -> Iterator[tuple[int, tuple[str, ...]]]:
        with _clear(name):
            for row in reader:
                if len(row) != len(header):
                    if not row:
                        continue
                    fields = f"{len(row)} fields where the header has {len(header)}"
                    raise LayoutError(f"{name} line {reader.line_num} has {fields}; mend it")
                row.append("")
                yield reader.line_num, tuple(map(str.strip, pick(row)))

    with _clear(name):
        header = [column.strip().lower() for column in next(reader, [])]
    known = _checked(header, name, columns, needed)
    pick = itemgetter(*(known.get(column, len(header)) for column in columns))
    return Listing(tuple(column for column in header if column not in columns), "line", rows())


def _parquet(stream: IO[bytes], name: str, columns: Sequence[str], needed: str) -> Listing:
    def rows() -> Iterator[tuple[int, tuple[str, ...]]]:
        first = 1
        with _clear(name):
            wanted = [names[at] for at in known.values()]
            for batch in file.iter_batches(_ROWS, columns=wanted, use_threads=False):  # see `Store._parquet`
                texts = [_texts(batch, names[known[column]] if column in known else "") for column in columns]
                yield from enumerate(zip(*texts, strict=True), start=first)
                first += batch.num_rows

    with _clear(name):
        file: Any = pq.ParquetFile(stream, pre_buffer=False)
        names: list[str] = file.schema_arrow.names
    header = [column.strip().lower() for column in names]
    known = _checked(header, name, columns, needed)
    return Listing(tuple(column for column in header if column not in columns), "row", rows())


def _texts(batch: pa.RecordBatch, column: str) -> list[str]:
    if not column:
        return [""] * batch.num_rows
    values: list[str] = pc.utf8_trim_whitespace(batch.column(column).cast(pa.string()).fill_null("")).to_pylist()
    return values


def _checked(header: list[str], name: str, columns: Sequence[str], needed: str) -> dict[str, int]:
    """Where each column that is there stands."""
    if needed not in header:
        held = ", ".join(header)[:200] or "nothing"
        if len(header) == 1 and ";" in header[0]:
            raise LayoutError(f"{name} has one column ({held}); separate columns by commas, not semicolons")
        raise LayoutError(f"{name} has no column '{needed}' (it has {held}); name its columns in the first line")
    if twice := {column for column in header if header.count(column) > 1 and column in columns}:
        raise LayoutError(f"{name} has two columns '{min(twice)}'; take one out")
    return {column: header.index(column) for column in columns if column in header}


@contextmanager
def _clear(name: str) -> Iterator[None]:
    """What a reader of another library says about a damaged file, as one line about the list."""
    try:
        yield
    except UnicodeDecodeError:
        raise LayoutError(f"{name} is no text file (UTF-8); save it as CSV in UTF-8, or as Parquet") from None
    except csv.Error as error:
        raise LayoutError(f"{name} is no CSV ({error}); save it again") from None
    except pa.ArrowException as error:
        what = str(error).splitlines()[0][:100]
        raise LayoutError(f"{name} is no Parquet file of text and numbers ({what}); save it again") from None


@contextmanager
def _opened(place: Place) -> Iterator[IO[bytes]]:
    try:
        if is_remote(place):
            yield io.BytesIO(place.read_bytes())
        else:
            with Path(str(place)).open("rb") as stream:
                yield stream
    except OSError as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
        raise LayoutError(f"the list {place} cannot be read ({why}); check its name") from None


@dataclass(frozen=True, slots=True)
class Below:
    """Where the paths of a list lie below a root."""

    tree: SourceTree
    tops: tuple[str, ...]
    """What an absolute path may begin with."""

    def __call__(self, name: str) -> str:
        """A path that a list gives, relative to the root; an absolute one below the root is accepted.

        Raises LayoutError for an empty path and for one that lies elsewhere.
        """
        if name in self.tree.sizes:
            return name
        path = name.replace("\\", "/")
        top = next((top for top in self.tops if path.startswith(top)), "")
        return inside(path.removeprefix(top), "path")


def below(tree: SourceTree) -> Below:
    """How the paths of a list are understood that belong to this tree."""
    root = tree.root
    if isinstance(root, Path):
        roots = [str(place) for place in (root, root.absolute(), root.resolve()) if place.is_absolute()]
    else:
        roots = [root.base]
    tops = {f"{place.rstrip('/')}/" for place in roots}
    return Below(tree, tuple(sorted(tops)))


def none_there(listing: str, tree: SourceTree, missing: Sequence[str]) -> LayoutError:
    """The error for a list of which no file is there."""
    if not missing:
        return LayoutError(f"{listing} lists no file; give another list")
    return LayoutError(
        f"none of the {len(missing):,} files that {listing} lists lies below {tree.root} (first: {missing[0]}); "
        "give the folder that its paths start from with --root"
    )
