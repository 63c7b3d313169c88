"""What a store's whole tars are enough for: DALI's indexes, shards.parquet and index.parquet."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import xxhash

from dataengine.errors import StoreError
from dataengine.operations.tars import index_of
from dataengine.records import INDEX_SCHEMA, SHARDS_SCHEMA
from dataengine.store import (
    DATASET_FILE,
    INDEX_FILE,
    SHARDS_FILE,
    file_sha256,
    fingerprint,
    open_unchecked,
    shards_digest,
)
from dataengine.tar import index_path, read_members
from dataengine.whole import write_table, write_whole


def remake_idx(tar: Path) -> None:
    """Write DALI's index of a whole tar."""
    with tar.open("rb") as stream:
        members = read_members(stream)
    write_whole(index_path(tar), index_of(members))


def remake_shards(out: Path) -> None:
    """Write shards.parquet from the tars. Raises StoreError where they are not those of dataset.json."""
    rows = []
    for tar in sorted(out.glob("*.tar")):
        with tar.open("rb") as stream:
            samples = sum(not member.name.endswith(".json") for member in read_members(stream))
        rows.append({"shard": tar.name, "samples": samples, "bytes": tar.stat().st_size, "sha256": file_sha256(tar)})
    table = pa.Table.from_pylist(rows, schema=SHARDS_SCHEMA)
    if shards_digest(table) != open_unchecked(out).layout_digest:
        raise StoreError(f"tars of {out} are damaged or missing too; delete it and convert the dataset again")
    _put_table(out, SHARDS_FILE, table)


def remake_index(out: Path) -> None:
    """Write index.parquet from the JSON beside each image, whose tars are whole. Raises StoreError where it differs."""
    parts = [_rows_of(out / row["shard"]) for row in open_unchecked(out).shards().to_pylist()]
    index = pa.concat_tables(parts).sort_by([("shard", "ascending"), ("offset", "ascending")])
    if fingerprint(index) != open_unchecked(out).fingerprint:
        raise StoreError(f"the tars of {out} do not hold what its fingerprint stands for; convert the dataset again")
    _put_table(out, INDEX_FILE, index)


def _rows_of(tar: Path) -> pa.Table:
    rows = []
    with tar.open("rb") as stream:
        members = {member.name: member for member in read_members(stream)}
        for member in members.values():
            key, _, ext = member.name.rpartition(".")
            if ext == "json":
                continue
            text = members[f"{key}.json"]
            stream.seek(text.offset)
            row = json.loads(stream.read(text.size))
            stream.seek(member.offset)
            xxh3 = xxhash.xxh3_64_intdigest(stream.read(member.size))
            facts = {"shard": tar.name, "offset": member.offset, "size": member.size, "xxh3": xxh3, "ext": ext}
            rows.append({**row, **facts})
    return pa.Table.from_pylist(rows, schema=INDEX_SCHEMA)


def _put_table(out: Path, name: str, table: pa.Table) -> None:
    """Write a table; where another version of pyarrow gives the same rows other bytes, dataset.json learns of it."""
    write_table(out / name, table)
    meta = open_unchecked(out).meta
    content = {"bytes": (out / name).stat().st_size, "sha256": file_sha256(out / name)}
    if meta["tables"][name] != content:
        meta["tables"][name] = content
        write_whole(out / DATASET_FILE, (json.dumps(meta, indent=2) + "\n").encode())
