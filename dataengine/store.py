"""A finished store (format 1): open, select.

A store is a folder, here or behind a URL, of tars with DALI indexes, and Parquet tables beside them; `dataset.json` is
written last, so a folder that has one is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataengine import place
from dataengine.cache import Content
from dataengine.columns import codes_of, is_in
from dataengine.errors import StoreError, unknown_name
from dataengine.fingerprint import fingerprint as fingerprint
from dataengine.fingerprint import shards_digest as shards_digest
from dataengine.place import Place, how_to_mend, place_of
from dataengine.records import FORMAT, INDEX_SCHEMA, SPLITS
from dataengine.refs import StoreRef as StoreRef
from dataengine.refs import parse_ref as parse_ref

DATASET_FILE = "dataset.json"
_META = (
    *("layout", "settings", "split_origin", "fingerprint", "shards_digest", "tables", "notes", "leaks"),
    "shared_identities",
)
INDEX_FILE, CLIPS_FILE, SHARDS_FILE = TABLES = ("index.parquet", "clips.parquet", "shards.parquet")
_MOST_META_BYTES = 256 << 20  # a list of some million files that a dataset lacks fits in it
_ROWS_AT_ONCE = 1 << 20
_NEEDED, _APART = ("shard", "split"), ("clip", "key")  # by every selection; to tell whether two of them are disjoint


@dataclass(frozen=True, slots=True)
class Store:
    """An opened store; its tables are read on demand."""

    root: Place
    meta: dict[str, Any]
    """dataset.json."""

    @property
    def name(self) -> str:
        """The folder's name, here or at the end of the URL's path."""
        return self.root.resolve().name

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of what the store holds, whatever its shards: see `fingerprint`."""
        return str(self.meta["fingerprint"])

    @property
    def layout_digest(self) -> str:
        """Changes with the shards' bytes, where the fingerprint does not: it says that row n is still row n."""
        return str(self.meta["shards_digest"])

    def index(self, columns: Sequence[str] | None = None) -> pa.Table:
        """One row a sample, INDEX_SCHEMA's columns or some of them."""
        table = self._table(INDEX_FILE, columns)
        if not table.schema.equals(_schema(columns)):
            raise StoreError(f"{self.root / INDEX_FILE} has other columns than an index; convert the dataset again")
        return table

    def rows(self, keep: Callable[[pa.Table], pa.Table], columns: Sequence[str] | None = None) -> pa.Table:
        """What `keep` leaves of the index, or of some of its columns, read a million rows at a time.

        Text that many rows share comes as dictionaries (int32, string), which is what makes millions of rows fit.
        """
        texts = [field.name for field in _schema(columns) if field.type == pa.string() and field.name != "key"]
        parts = []
        with self._parquet(INDEX_FILE, read_dictionary=texts) as file:
            if not file.schema_arrow.remove_metadata().names == INDEX_SCHEMA.names:
                raise StoreError(f"{self.root / INDEX_FILE} has other columns than an index; convert the dataset again")
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns, use_threads=False):
                parts.append(keep(pa.Table.from_batches([batch])))
        return pa.concat_tables(parts).unify_dictionaries()

    def clips(self, columns: Sequence[str] | None = None) -> pa.Table:
        """One row a source clip, failed ones too, CLIPS_SCHEMA's columns or some of them."""
        return self._table(CLIPS_FILE, columns)

    def shards(self) -> pa.Table:
        """One row a tar, SHARDS_SCHEMA."""
        return self._table(SHARDS_FILE)

    def contents(self) -> dict[str, Content]:
        """Length and sha256 of each file that a reader needs beside dataset.json, by name: the tables, the tars."""
        table = self.shards()
        names, sizes, sums = (table[name].to_pylist() for name in ("shard", "bytes", "sha256"))
        shards = {name: Content(size, sha256) for name, size, sha256 in zip(names, sizes, sums, strict=True)}
        return {name: Content(**content) for name, content in self.meta["tables"].items()} | shards

    def shard_path(self, shard: str) -> Place:
        """Where a tar lies."""
        return self.root / shard

    def _table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        with self._parquet(name) as file:
            return file.read(columns, use_threads=False)

    @contextmanager
    def _parquet(self, name: str, **options: Any) -> Iterator[pq.ParquetFile]:
        path = self.root / name
        try:
            with (
                os.fdopen(place.open_file(path, Content(**self.meta["tables"][name])), "rb") as stream,
                pq.ParquetFile(stream, pre_buffer=False, **options) as file,
            ):
                # Read it without threads: one of Arrow's may let go of the Python file a moment later, and where the
                # interpreter is ending by then, the process is aborted.
                yield file
        except FileNotFoundError:
            raise StoreError(f"{path} is missing; {how_to_mend(path)}") from None
        except (pa.ArrowInvalid, OSError) as error:
            reason = str(error).splitlines()[0]
            raise StoreError(f"{path} is damaged ({reason}); {how_to_mend(path)}") from None


def open_store(path: str | Path) -> Store:
    """Open a finished store, looking at its metadata and that every tar is there in full length.

    Raises StoreError where it is missing, unfinished, of another format, or lacks a tar or a part of one; and where a
    URL carries credentials, or cannot be read for as long as `remote.PATIENCE` lasts.
    """
    store = open_unchecked(path)
    sizes = place.sizes(store.root)
    for shard, content in store.contents().items():
        file, found = store.shard_path(shard), sizes.get(shard)
        if found is None:
            raise StoreError(f"{file} is missing; {how_to_mend(file)}")
        if found != content.bytes:
            what = f"{found} bytes instead of {content.bytes}"
            raise StoreError(f"{file} is damaged ({what}); {how_to_mend(file)}")
    return store


def open_unchecked(path: str | Path) -> Store:
    """Open a store by its dataset.json alone: its tables and tars may be missing or damaged.

    Raises StoreError where there is none, or it is damaged or of another format.
    """
    root = place_of(path)
    file = root / DATASET_FILE
    try:
        meta = json.loads(_bounded(file))
    except (FileNotFoundError, NotADirectoryError):
        raise _no_store(root) from None
    except RecursionError:
        raise StoreError(f"{file} is damaged: it is nested too deeply; convert the dataset again") from None
    except (json.JSONDecodeError, UnicodeDecodeError, OSError):
        raise StoreError(f"{file} is damaged; convert the dataset again") from None
    if not isinstance(meta, dict):
        raise StoreError(f"{file} is damaged: it holds no JSON object; convert the dataset again")
    _check_format(root, meta.get("format"))
    if absent := [name for name in _META if name not in meta]:
        raise StoreError(f"{file} is damaged: it has no {', '.join(absent)}; convert the dataset again")
    try:
        tables = {name: Content(**content) for name, content in meta["tables"].items()}
    except (AttributeError, TypeError):
        tables = {}
    if tables.keys() != set(TABLES):
        raise StoreError(f"{file} is damaged: 'tables' does not say what the tables hold; convert the dataset again")
    return Store(root, meta)


def _bounded(file: Place) -> bytes:
    data = bytearray()
    for chunk in place.chunks(file):
        data += chunk
        if len(data) > _MOST_META_BYTES:
            raise StoreError(
                f"{file} is damaged: it has more than {_MOST_META_BYTES >> 20} MiB; convert the dataset again"
            )
    return bytes(data)


def _check_format(root: Place, found: object) -> None:
    if type(found) is not int:
        raise StoreError(f"{root / DATASET_FILE} is damaged: its format is {found!r:.40}; convert the dataset again")
    if found > FORMAT:
        raise StoreError(f"{root} has store format {found}, and this version of dfx reads format {FORMAT}; upgrade dfx")
    if found < FORMAT:
        raise StoreError(
            f"{root} has store format {found}, older than the format {FORMAT} that this version of dfx reads; convert "
            "the dataset again, or read it with the version of dfx that made it"
        )


def _no_store(root: Place) -> StoreError:
    if not root.is_dir():
        if place.is_remote(root):
            return StoreError(
                f"no store at {root}; check the bucket and the path: a store is uploaded as a whole folder"
            )
        return StoreError(f"no store at {root}; convert a dataset with `dfx shard NAME --out FOLDER`")
    if (root / ".parts").exists():
        return StoreError(f"{root} is not finished; run its `dfx shard` (or merge, filter, reshard) command again")
    return StoreError(f"{root} is no store (no dataset.json)")


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _schema(columns: Sequence[str] | None) -> pa.Schema:
    return INDEX_SCHEMA if columns is None else pa.schema([INDEX_SCHEMA.field(name) for name in columns])


@dataclass(frozen=True, slots=True)
class Rows:
    """The selected rows of one or more stores, in (store, shard, offset) order: what a loader streams."""

    refs: tuple[StoreRef, ...]
    stores: tuple[Store, ...]
    shard_files: tuple[Place, ...]
    """Every tar that the rows may lie in."""
    shard_contents: tuple[Content, ...]
    """Length and sha256 of each."""
    table: pa.Table
    """INDEX_SCHEMA's columns, text other than keys as dictionaries (int32, string); `store` (int32, into `stores`) and
    `shard_file` (int32, into `shard_files`)."""

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the stores, in their order."""
        return tuple(store.fingerprint for store in self.stores)

    def shard_sizes(self) -> npt.NDArray[np.int64]:
        """Rows in each of `shard_files`; they stand one after the other, shard by shard."""
        sizes: npt.NDArray[np.int64] = np.bincount(self.column("shard_file"), minlength=len(self.shard_files))
        return sizes

    def identity(self) -> dict[str, list[str]]:
        """What makes two `Rows` the same stream, as JSON: the stores' contents, their shards, the selections."""
        return {
            "fingerprints": list(self.fingerprints),
            "layouts": [store.layout_digest for store in self.stores],
            "selections": [ref.selection for ref in self.refs],
        }

    def facts(self, names: Sequence[str]) -> pa.Table:
        """Columns of the index as INDEX_SCHEMA has them, text as text."""
        return self.table.select(names).cast(pa.schema([INDEX_SCHEMA.field(name) for name in names]))

    def column(self, name: str) -> npt.NDArray[Any]:
        """A numeric column as one array."""
        return np.asarray(self.table.column(name).combine_chunks().to_numpy(zero_copy_only=False))

    def strings(self, name: str) -> list[str]:
        """A column's values as text, one a row."""
        return [str(value) for value in self.table.column(name).to_pylist()]

    def codes(self, name: str) -> tuple[npt.NDArray[np.int64], list[str]]:
        """A column as (code of each row, names in sorted order): `names[codes[i]]` is row i's value."""
        if name not in self.table.column_names:
            raise unknown_name("column", name, INDEX_SCHEMA.names)
        return codes_of(self.table.column(name))


def select(
    refs: str | StoreRef | Sequence[str | StoreRef],
    *,
    split: str | None = None,
    columns: Sequence[str] = tuple(INDEX_SCHEMA.names),
) -> Rows:
    """Open stores and select their rows.

    `split` is added to every reference that names none; with neither, the split `none` is left out. Of the index,
    `columns` are read, and what selecting needs: with fewer of them, more rows fit into memory. Raises
    DfxError for a value that a column does not hold, naming near ones, for a selection that holds no row, for samples
    that are selected twice, and for stores that hold the same clip.
    """
    if split is not None and split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    chosen: list[StoreRef] = []
    for ref in (refs,) if isinstance(refs, str | StoreRef) else refs:
        parsed = parse_ref(ref) if isinstance(ref, str) else ref
        if split and "split" not in dict(parsed.where):
            parsed = StoreRef(parsed.path, tuple(sorted((*parsed.where, ("split", (split,))))))
        if parsed in chosen:
            raise StoreError(f"'{parsed}' is given twice; name each selection once")
        chosen.append(parsed)
    if not chosen:
        raise StoreError("no store was given; name at least one, such as shards/ff++")
    stores: list[Store] = []
    tables: list[pa.Table] = []
    shard_files: list[Place] = []
    shard_contents: list[Content] = []
    for number, ref in enumerate(chosen):
        store = open_store(ref.path)
        table = _where(store, ref, {*columns, *_NEEDED, *(_APART if len(chosen) > 1 else ())})
        files, names = codes_of(table.column("shard"))
        contents = store.contents()
        added = {
            "store": pa.array(np.full(table.num_rows, number, dtype=np.int32)),
            "shard_file": pa.array((files + len(shard_files)).astype(np.int32)),
        }
        shard_files.extend(store.shard_path(name) for name in names)
        shard_contents.extend(contents[name] for name in names)
        tables.append(pa.table({**dict(zip(table.column_names, table.columns, strict=True)), **added}))
        stores.append(store)
    _check_distinct(chosen, stores, tables)
    table = pa.concat_tables(tables).unify_dictionaries()
    pieces = {name: table.column(name) for name in table.column_names}
    del table, tables
    for name in pieces:  # one at a time: of all together, all would be in memory twice
        pieces[name] = pa.table({name: pieces[name]}).combine_chunks()[name]
    return Rows(tuple(chosen), tuple(stores), tuple(shard_files), tuple(shard_contents), pa.table(pieces))


def _check_distinct(refs: list[StoreRef], stores: list[Store], tables: list[pa.Table]) -> None:
    """No sample counts twice, and no clip is put together from two stores' frames."""
    held: dict[str, int] = {}
    roots = [store.root.resolve() for store in stores]
    for number, table in enumerate(tables if len(tables) > 1 else ()):
        for clip in pc.unique(table["clip"]).to_pylist():
            first = held.setdefault(clip, number)
            if roots[first] != roots[number]:
                named = all(stores[one].meta["layout"] == "folder" for one in (first, number))
                remedy = "leave one out" + (", or convert it under another --name" if named else "")
                raise StoreError(f"{refs[first]} and {refs[number]} both hold the clip {clip}; {remedy}")
    for root in {root for root in roots if roots.count(root) > 1}:
        keys = pa.chunked_array(
            [chunk for own, table in zip(roots, tables, strict=True) if own == root for chunk in table["key"].chunks]
        )
        if pc.count_distinct(keys).as_py() != len(keys):
            raise StoreError(f"{' and '.join(map(str, refs))} hold samples in common; select disjoint parts")


def _where(store: Store, ref: StoreRef, columns: set[str]) -> pa.Table:
    for column, values in ref.where:
        there = _values(store, column)
        for value in values:
            if value in SPLITS and column == "split" and value not in there:
                other = next(split for split in ("test", "val", *there) if split in there)
                raise StoreError(
                    f"{ref.path} has no {value} split, it has {' and '.join(there)}; name one of them: "
                    f"{StoreRef(ref.path, tuple((name, (other,) if name == column else of) for name, of in ref.where))}"
                )
            if value not in there:
                raise StoreError(f"{ref}: {unknown_name(column, value, there)}")
    wanted = [(column, pa.array(values)) for column, values in ref.where]
    default = "split" not in dict(ref.where)

    def keep(table: pa.Table) -> pa.Table:
        if default:
            table = table.filter(pc.invert(is_in(table.column("split"), pa.array(["none"]))))
        for column, values in wanted:
            table = table.filter(is_in(table.column(column), values))
        return table

    columns |= dict(ref.where).keys()
    table = store.rows(keep, [name for name in INDEX_SCHEMA.names if name in columns])
    if table.num_rows == 0 and ref.where:
        last, values = ref.where[-1]
        raise StoreError(f"{ref} holds no sample: none has {last} {' or '.join(values)} with the rest of it")
    if table.num_rows == 0:
        raise StoreError(f"{store.root} holds no sample outside the split 'none'")
    return table


def _values(store: Store, column: str) -> list[str]:
    """What a column of the index holds, as text."""
    found = pc.unique(store.rows(lambda table: table, [column]).column(column))
    return sorted(found.cast(pa.string()).drop_null().to_pylist())
