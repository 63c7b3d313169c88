"""Which rows of which stores: what a loader streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataengine.cache import Content
from dataengine.columns import codes_of, is_in
from dataengine.errors import StoreError, unknown_name
from dataengine.place import Place
from dataengine.records import INDEX_SCHEMA, SPLITS
from dataengine.refs import StoreRef, parse_ref
from dataengine.store import Store, open_store

_NEEDED, _APART = ("shard", "split"), ("clip", "key")  # by every selection; to tell whether two of them are disjoint


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
