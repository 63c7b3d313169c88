"""The records of a store's shards, merged once into its tables, and dataset.json last."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataengine import place
from dataengine.errors import StoreError
from dataengine.leaks import format_leaks
from dataengine.place import Place, is_remote
from dataengine.plan import Plan
from dataengine.publish import publish, working_folder
from dataengine.records import CLIPS_SCHEMA, FORMAT, INDEX_SCHEMA, SHARDS_SCHEMA
from dataengine.shard import finished
from dataengine.store import CLIPS_FILE, DATASET_FILE, INDEX_FILE, SHARDS_FILE, file_sha256, fingerprint, shards_digest
from dataengine.version import VERSION
from dataengine.whole import PARTS, renamed_when_whole, write_table, write_whole

GROUP_ROWS = 1 << 17
"""Rows of a table held in memory while it is merged: one row group of its file, 30 MB of the index."""

_AT_ONCE = 32  # records that are fetched side by side where each is a request to a server

Item = TypeVar("Item")
Result = TypeVar("Result")


def listed(out: Place, items: Sequence[Item], read: Callable[[Item], Result]) -> Iterator[Result]:
    """`read` of each item in their order; of a store behind a URL, a bounded number at once."""
    if not is_remote(out):
        yield from map(read, items)
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for start in range(0, len(items), _AT_ONCE):
            yield from pool.map(read, items[start : start + _AT_ONCE])


def shard_clips(shard: str, out: Place) -> pa.Table:
    """The clips of a finished shard in their order, CLIPS_SCHEMA. Raises FileNotFoundError."""
    return _part(shard, "clips", out)


def merge(plan: Plan, out: Place, about: dict[str, Any]) -> None:
    """Write the tables and dataset.json of a store whose shards are all finished; `about` goes into the latter.

    Rows stand in the order of the shards' names, and within one in that of its records: the index by offset, the clips
    as planned. A row group at a time is held in memory. Raises StoreError where no clip could be read.
    """
    names = sorted(shard.shard for shard in plan.shards)
    sizes = place.sizes(out)
    records = [record for record in listed(out, names, lambda name: finished(name, out, sizes)) if record]
    assert len(records) == len(names)
    if not any(record.samples for record in records):
        raise _nothing(listed(out, names, lambda name: shard_clips(name, out)))
    kept = [asdict(record) for record in records if record.samples]
    shards = pa.Table.from_pylist(kept, schema=SHARDS_SCHEMA)
    with working_folder(out) as folder:
        _concatenate(folder / INDEX_FILE, listed(out, names, lambda name: _part(name, "index", out)), INDEX_SCHEMA)
        _concatenate(folder / CLIPS_FILE, listed(out, names, lambda name: _part(name, "clips", out)), CLIPS_SCHEMA)
        write_table(folder / SHARDS_FILE, shards)
        meta = {
            "format": FORMAT,
            "dfx": VERSION,
            **about,
            "leaks": format_leaks(_columns(folder, "label", "clip", "ext", "quality", "width")),
            "fingerprint": fingerprint(_columns(folder, "key", "xxh3", "label", "method", "split")),
            "shards_digest": shards_digest(shards),
            "tables": tables_of(folder),
        }
        write_whole(folder / DATASET_FILE, (json.dumps(meta, indent=2) + "\n").encode())
        publish(folder, out, [INDEX_FILE, CLIPS_FILE, SHARDS_FILE, DATASET_FILE])


def tables_of(folder: Path) -> dict[str, dict[str, Any]] | None:
    """Bytes and sha256 of the tables, by name; None where one is missing."""
    tables = [folder / name for name in (INDEX_FILE, CLIPS_FILE, SHARDS_FILE)]
    if not all(table.is_file() for table in tables):
        return None
    return {table.name: {"bytes": table.stat().st_size, "sha256": file_sha256(table)} for table in tables}


def _part(shard: str, kind: str, out: Place) -> pa.Table:
    data = pa.BufferReader((out / PARTS / f"{shard}.{kind}.parquet").read_bytes())
    return pq.read_table(data, use_threads=False, pre_buffer=False)  # see `Store._parquet`


def _columns(folder: Path, *names: str) -> pa.Table:
    return pq.read_table(folder / INDEX_FILE, columns=list(names))


def _concatenate(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """One file of all rows; its row groups, and so its bytes, do not depend on how they came."""
    with renamed_when_whole(path) as stream, pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        held = schema.empty_table()
        for table in tables:
            held = pa.concat_tables([held, table])
            while held.num_rows >= GROUP_ROWS:
                writer.write_table(held.slice(0, GROUP_ROWS).combine_chunks())
                held = held.slice(GROUP_ROWS)
        if held.num_rows:
            writer.write_table(held.combine_chunks())


def _nothing(clips: Iterator[pa.Table]) -> StoreError:
    number, first = 0, ""
    for table in clips:
        number += table.num_rows
        lines = pc.binary_join_element_wise(table["path"], table["reason"], ": ")
        first = min(filter(None, [first, pc.min(lines).as_py()]))
    return StoreError(f"none of {number} clips could be read; nothing is stored (first: {first})")
