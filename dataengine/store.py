"""A finished store (format 1): open, select, verify.

A store is a folder of tars with DALI indexes, and Parquet tables beside them; `dataset.json` is written last, so a
folder that has one is whole.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataengine.errors import StoreError, unknown_name
from dataengine.records import FORMAT, INDEX_SCHEMA, SPLITS

DATASET_FILE = "dataset.json"
_META = ("layout", "settings", "split_origin", "fingerprint", "shards_digest", "notes", "leaks", "shared_identities")
INDEX_FILE, CLIPS_FILE, SHARDS_FILE = "index.parquet", "clips.parquet", "shards.parquet"


@dataclass(frozen=True, slots=True)
class StoreRef:
    """A store and a selection of its rows, written `PATH@column=value,value@column=value`."""

    path: str
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __str__(self) -> str:
        return self.path + self.selection

    @property
    def selection(self) -> str:
        """The selection alone, "" for all rows."""
        return "".join(f"@{column}={','.join(values)}" for column, values in self.where)


def parse_ref(text: str) -> StoreRef:
    """Read `shards/ff++@method=real,Face2Face@split=train`; the order of columns and values does not matter.

    Raises StoreError for an unknown column or a selection without values.
    """
    # A folder's name may hold an '@' too: a selection begins at one that a column of the index follows.
    begin = re.search(rf"@(?:{'|'.join(INDEX_SCHEMA.names)})=", text)
    path, parts = (text[: begin.start()], text[begin.start() + 1 :].split("@")) if begin else (text, [])
    if stray := re.search(r"@(\w+)=[^/]*$", path):
        raise unknown_name("column in a store reference", stray[1], INDEX_SCHEMA.names)
    where = {}
    for part in parts:
        column, _, listed = part.partition("=")
        values = tuple(sorted({value.strip() for value in listed.split(",") if value.strip()}))
        if not path or not values:
            raise StoreError(f"'{text}' is no store reference; write PATH@column=value,value")
        if column not in INDEX_SCHEMA.names:
            raise unknown_name("column in a store reference", column, INDEX_SCHEMA.names)
        if column in where:
            raise StoreError(f"'{text}' selects by '{column}' twice; write its values once, separated by commas")
        where[column] = values
    return StoreRef(path, tuple(sorted(where.items())))


@dataclass(frozen=True, slots=True)
class Store:
    """An opened store; its tables are read on demand."""

    root: Path
    meta: dict[str, Any]
    """dataset.json."""

    @property
    def name(self) -> str:
        """The folder's name."""
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
        index = _read(self.root / INDEX_FILE)
        if not index.schema.equals(INDEX_SCHEMA):
            raise StoreError(f"{self.root / INDEX_FILE} has other columns than an index; convert the dataset again")
        return index

    def clips(self) -> pa.Table:
        """One row a source clip, failed ones too, CLIPS_SCHEMA."""
        return _read(self.root / CLIPS_FILE)

    def shards(self) -> pa.Table:
        """One row a tar, SHARDS_SCHEMA."""
        return _read(self.root / SHARDS_FILE)

    def shard_path(self, shard: str) -> Path:
        """Where a tar lies."""
        return self.root / shard


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run the store's `dfx shard` command again to restore it") from None
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"{path} is damaged ({reason}); delete the store and convert it again") from None


def open_store(path: str | Path) -> Store:
    """Open a finished store, looking at its metadata and that every tar is there in full length.

    Raises StoreError where it is missing, unfinished, of another format, or lacks a tar or a part of one.
    """
    root = Path(path)
    if not root.is_dir():
        raise StoreError(f"no store at {root}; convert a dataset with `dfx shard NAME --out {root}`")
    try:
        meta = json.loads((root / DATASET_FILE).read_text())
    except FileNotFoundError:
        unfinished = (root / ".parts").exists()
        what = "is not finished; run its `dfx shard` command again" if unfinished else "is no store (no dataset.json)"
        raise StoreError(f"{root} {what}") from None
    except (json.JSONDecodeError, UnicodeDecodeError, OSError):
        raise StoreError(f"{root / DATASET_FILE} is damaged; convert the dataset again") from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        found = meta.get("format") if isinstance(meta, dict) else None
        raise StoreError(f"{root} has store format {found}; this version of dfx reads format {FORMAT}")
    if absent := [name for name in _META if name not in meta]:
        raise StoreError(f"{root / DATASET_FILE} is damaged: it has no {', '.join(absent)}; convert the dataset again")
    store = Store(root, meta)
    for shard in store.shards().to_pylist():
        _check_length(store.shard_path(shard["shard"]), shard["bytes"])
    return store


def _check_length(path: Path, expected: int) -> None:
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run the store's `dfx shard` command again to write it anew") from None
    if found != expected:
        raise StoreError(
            f"{path} is damaged ({found} bytes instead of {expected}); delete it and run the store's `dfx shard` "
            "command again to write it anew"
        )


def verify(store: Store, *, on_shard: Callable[[str], None] | None = None) -> list[str]:
    """Read every tar in full; the names of those whose sha256 is not the recorded one."""
    damaged = []
    for shard in store.shards().to_pylist():
        if file_sha256(store.shard_path(shard["shard"])) != shard["sha256"]:
            damaged.append(shard["shard"])
        if on_shard:
            on_shard(shard["shard"])
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
    shard_files: tuple[Path, ...]
    """Every tar that the rows may lie in."""
    table: pa.Table
    """INDEX_SCHEMA's columns, `store` (int32, into `stores`) and `shard_file` (int32, into `shard_files`)."""

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the stores, in their order."""
        return tuple(store.fingerprint for store in self.stores)

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
        place = {value: i for i, value in enumerate(names)}
        ranks = np.array([place[value] for value in values], dtype=np.int64)
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return ranks[codes] if len(ranks) else codes, names


def select(refs: Sequence[str | StoreRef], *, split: str | None = None) -> Rows:
    """Open stores and select their rows.

    `split` is added to every reference that names none; with neither, the split `none` is left out. Raises
    DfxError for a value that a column does not hold, naming near ones, for a selection that holds no row, for samples
    that are selected twice, and for stores that hold the same clip.
    """
    if split is not None and split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    chosen: list[StoreRef] = []
    for ref in refs:
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
    shard_files: list[Path] = []
    for number, ref in enumerate(chosen):
        store = open_store(ref.path)
        table = _where(store, ref)
        names = sorted(set(table.column("shard").to_pylist()))
        place = {name: len(shard_files) + i for i, name in enumerate(names)}
        shard_files.extend(store.shard_path(name) for name in names)
        files = np.array([place[name] for name in table.column("shard").to_pylist()], dtype=np.int32)
        table = table.append_column("store", pa.array(np.full(table.num_rows, number, dtype=np.int32)))
        tables.append(table.append_column("shard_file", pa.array(files)))
        stores.append(store)
    _check_distinct(chosen, tables)
    return Rows(tuple(chosen), tuple(stores), tuple(shard_files), pa.concat_tables(tables).combine_chunks())


def _check_distinct(refs: list[StoreRef], tables: list[pa.Table]) -> None:
    """No sample counts twice, and no clip is put together from two stores' frames."""
    held: dict[str, tuple[StoreRef, str]] = {}
    for ref, table in zip(refs, tables, strict=True):
        root = str(Path(ref.path).resolve())
        for clip in pc.unique(table["clip"]).to_pylist():
            first, at = held.setdefault(clip, (ref, root))
            if at != root:
                raise StoreError(
                    f"{first} and {ref} both hold the clip {clip}; leave one out, or convert it under another --name"
                )
    keys = [key for table in tables for key in table["key"].to_pylist()] if len(tables) > 1 else []
    if len(keys) != len(set(keys)):
        raise StoreError(f"{' and '.join(map(str, refs))} hold samples in common; select disjoint parts")


def _where(store: Store, ref: StoreRef) -> pa.Table:
    table = store.index()
    named = dict(ref.where)
    if "split" not in named:
        table = table.filter(pc.not_equal(table.column("split"), "none"))
    for column, values in ref.where:
        as_text = table.column(column).cast(pa.string())
        there = sorted(set(store.index().column(column).cast(pa.string()).drop_null().to_pylist()))
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
