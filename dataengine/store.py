"""A finished store (format 1): open, select, verify.

A store is a folder, here or behind a URL, of tars with DALI indexes, and Parquet tables beside them; `dataset.json` is
written last, so a folder that has one is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
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
from dataengine.errors import StoreError, unknown_name
from dataengine.place import Place, how_to_mend, place_of
from dataengine.records import FORMAT, INDEX_SCHEMA, SPLITS
from dataengine.refs import StoreRef as StoreRef
from dataengine.refs import parse_ref as parse_ref

DATASET_FILE = "dataset.json"
_META = (
    *("layout", "settings", "split_origin", "fingerprint", "shards_digest", "tables", "notes", "leaks"),
    "shared_identities",
)
INDEX_FILE, CLIPS_FILE, SHARDS_FILE = "index.parquet", "clips.parquet", "shards.parquet"


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

    def index(self) -> pa.Table:
        """One row a sample, INDEX_SCHEMA."""
        index = self._table(INDEX_FILE)
        if not index.schema.equals(INDEX_SCHEMA):
            raise StoreError(f"{self.root / INDEX_FILE} has other columns than an index; convert the dataset again")
        return index

    def clips(self) -> pa.Table:
        """One row a source clip, failed ones too, CLIPS_SCHEMA."""
        return self._table(CLIPS_FILE)

    def shards(self) -> pa.Table:
        """One row a tar, SHARDS_SCHEMA."""
        return self._table(SHARDS_FILE)

    def contents(self) -> dict[str, Content]:
        """Length and sha256 of each file that a reader needs beside dataset.json, by name: the tables, the tars."""
        shards = {row["shard"]: Content(row["bytes"], row["sha256"]) for row in self.shards().to_pylist()}
        return {name: Content(**content) for name, content in self.meta["tables"].items()} | shards

    def shard_path(self, shard: str) -> Place:
        """Where a tar lies."""
        return self.root / shard

    def _table(self, name: str) -> pa.Table:
        path = self.root / name
        try:
            with os.fdopen(place.open_file(path, Content(**self.meta["tables"][name])), "rb") as stream:
                # Without threads: one of Arrow's may let go of the Python file a moment later, and where the
                # interpreter is ending by then, the process is aborted.
                return pq.read_table(stream, use_threads=False, pre_buffer=False)
        except FileNotFoundError:
            raise StoreError(f"{path} is missing; {how_to_mend(path, missing=True)}") from None
        except (pa.ArrowInvalid, OSError) as error:
            reason = str(error).splitlines()[0]
            raise StoreError(f"{path} is damaged ({reason}); delete the store and convert it again") from None


def open_store(path: str | Path) -> Store:
    """Open a finished store, looking at its metadata and that every tar is there in full length.

    Raises StoreError where it is missing, unfinished, of another format, or lacks a tar or a part of one; and where a
    URL carries credentials, or cannot be read for as long as `remote.PATIENCE` lasts.
    """
    root = place_of(path)
    try:
        meta = json.loads((root / DATASET_FILE).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise _no_store(root) from None
    except (json.JSONDecodeError, UnicodeDecodeError, OSError):
        raise StoreError(f"{root / DATASET_FILE} is damaged; convert the dataset again") from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        found = meta.get("format") if isinstance(meta, dict) else None
        raise StoreError(f"{root} has store format {found}; this version of dfx reads format {FORMAT}")
    if absent := [name for name in _META if name not in meta]:
        raise StoreError(f"{root / DATASET_FILE} is damaged: it has no {', '.join(absent)}; convert the dataset again")
    store = Store(root, meta)
    sizes = place.sizes(root)
    for shard, content in store.contents().items():
        file, found = store.shard_path(shard), sizes.get(shard)
        if found is None:
            raise StoreError(f"{file} is missing; {how_to_mend(file, missing=True)}")
        if found != content.bytes:
            what = f"{found} bytes instead of {content.bytes}"
            raise StoreError(f"{file} is damaged ({what}); {how_to_mend(file)}")
    return store


def _no_store(root: Place) -> StoreError:
    if not root.is_dir():
        if place.is_remote(root):
            return StoreError(
                f"no store at {root}; check the bucket and the path: a store is uploaded as a whole folder"
            )
        return StoreError(f"no store at {root}; convert a dataset with `dfx shard NAME --out FOLDER`")
    if (root / ".parts").exists():
        return StoreError(f"{root} is not finished; run its `dfx shard` command again")
    return StoreError(f"{root} is no store (no dataset.json)")


def verify(store: Store, *, on_file: Callable[[str], None] | None = None) -> list[str]:
    """Read the tables and every tar in full; the names of those whose sha256 is not the recorded one.

    A remote store is read past the cache: what counts is what lies there.
    """
    damaged = []
    for name, content in store.contents().items():
        digest = hashlib.sha256()
        for data in place.chunks(store.root / name):
            digest.update(data)
        if digest.hexdigest() != content.sha256:
            damaged.append(name)
        if on_file:
            on_file(name)
    return damaged


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fingerprint(index: pa.Table) -> str:
    """sha256 (hex) over (key, xxh3, label, method, split) of every sample, sorted by key.

    dfx's version, times and the division into shards do not enter: a merged or resharded store of the same samples
    keeps its fingerprint.
    """
    columns = [index.column(name).to_pylist() for name in ("key", "xxh3", "label", "method", "split")]
    digest = hashlib.sha256()
    for row in sorted(zip(*columns, strict=True)):
        digest.update(json.dumps(row, separators=(",", ":"), ensure_ascii=True).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def shards_digest(shards: pa.Table) -> str:
    """sha256 (hex) over the shards' own hashes in their order: the division into shards, to the byte."""
    return hashlib.sha256("\n".join(shards.column("sha256").to_pylist()).encode()).hexdigest()


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
    """INDEX_SCHEMA's columns, `store` (int32, into `stores`) and `shard_file` (int32, into `shard_files`)."""

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
        encoded = pc.dictionary_encode(self.table.column(name).cast(pa.string()).combine_chunks())
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        values = encoded.dictionary.to_pylist()
        names = sorted(values)
        order = {value: i for i, value in enumerate(names)}
        ranks = np.array([order[value] for value in values], dtype=np.int64)
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return ranks[codes] if len(ranks) else codes, names


def select(refs: str | StoreRef | Sequence[str | StoreRef], *, split: str | None = None) -> Rows:
    """Open stores and select their rows.

    `split` is added to every reference that names none; with neither, the split `none` is left out. Raises
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
        table = _where(store, ref)
        names = sorted(set(table.column("shard").to_pylist()))
        contents = store.contents()
        position = {name: len(shard_files) + i for i, name in enumerate(names)}
        shard_files.extend(store.shard_path(name) for name in names)
        shard_contents.extend(contents[name] for name in names)
        files = np.array([position[name] for name in table.column("shard").to_pylist()], dtype=np.int32)
        table = table.append_column("store", pa.array(np.full(table.num_rows, number, dtype=np.int32)))
        tables.append(table.append_column("shard_file", pa.array(files)))
        stores.append(store)
    _check_distinct(chosen, stores, tables)
    table = pa.concat_tables(tables).combine_chunks()
    return Rows(tuple(chosen), tuple(stores), tuple(shard_files), tuple(shard_contents), table)


def _check_distinct(refs: list[StoreRef], stores: list[Store], tables: list[pa.Table]) -> None:
    """No sample counts twice, and no clip is put together from two stores' frames."""
    held: dict[str, tuple[StoreRef, Store]] = {}
    for ref, store, table in zip(refs, stores, tables, strict=True):
        for clip in pc.unique(table["clip"]).to_pylist():
            first, holder = held.setdefault(clip, (ref, store))
            if holder.root.resolve() != store.root.resolve():
                named = all(one.meta["layout"] == "folder" for one in (holder, store))
                remedy = "leave one out" + (", or convert it under another --name" if named else "")
                raise StoreError(f"{first} and {ref} both hold the clip {clip}; {remedy}")
    keys = [key for table in tables for key in table["key"].to_pylist()] if len(tables) > 1 else []
    if len(keys) != len(set(keys)):
        raise StoreError(f"{' and '.join(map(str, refs))} hold samples in common; select disjoint parts")


def _where(store: Store, ref: StoreRef) -> pa.Table:
    table = index = store.index()
    named = dict(ref.where)
    if "split" not in named:
        table = table.filter(pc.not_equal(table.column("split"), "none"))
    for column, values in ref.where:
        as_text = table.column(column).cast(pa.string())
        there = sorted(set(index.column(column).cast(pa.string()).drop_null().to_pylist()))
        for value in values:
            if value not in there:
                raise StoreError(f"{ref}: {unknown_name(column, value, there)}")
        kept = table.filter(pc.is_in(as_text, value_set=pa.array(values)))
        if kept.num_rows == 0:
            raise StoreError(f"{ref} holds no sample: none has {column} {' or '.join(values)} with the rest of it")
        table = kept
    if table.num_rows == 0:
        raise StoreError(f"{store.root} holds no sample outside the split 'none'")
    return table
