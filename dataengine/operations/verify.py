"""Whether a store is what it says: its tables, its tars, DALI's indexes, and every image in them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from dataengine import place
from dataengine.cache import Content
from dataengine.errors import unknown_name
from dataengine.operations.decoding import Decoders
from dataengine.operations.samples import by_tar
from dataengine.operations.tars import Row, check_bytes, check_headers
from dataengine.place import is_remote
from dataengine.records import CLIPS_SCHEMA, INDEX_SCHEMA, SHARDS_SCHEMA
from dataengine.store import CLIPS_FILE, INDEX_FILE, SHARDS_FILE, Store, fingerprint, shards_digest

Level = Literal["quick", "full", "decode"]
_SCHEMAS = {INDEX_FILE: INDEX_SCHEMA, CLIPS_FILE: CLIPS_SCHEMA, SHARDS_FILE: SHARDS_SCHEMA}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    file: str
    """Its name in the store's folder."""
    reason: str
    """In one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a verification found, and what it looked at."""

    findings: tuple[Finding, ...]
    """The tables' first, then those of the tars and their .idx files in the shards' order."""
    files: int
    """Looked at: the tables, and a tar and an .idx for each shard."""
    images: int
    """Whose bytes were read, and decoded at the level decode."""
    decoders: tuple[str, ...]
    """Who decoded them."""
    notes: tuple[str, ...]
    """What was not looked at, and why."""

    @property
    def damaged(self) -> tuple[str, ...]:
        """The names of the files that something is wrong with, in the findings' order."""
        return tuple(dict.fromkeys(finding.file for finding in self.findings))


def verify(store: Store, level: Level = "full", *, on_shard: Callable[[str, int], None] | None = None) -> Verified:
    """Look for damage in a store that may lack files (`open_unchecked`), reading what lies there past the cache.

    quick: every table's sha256; that the tars are there in full length; their headers and DALI's indexes against the
    index. full: also every tar's sha256 and every image's xxh3. decode: also every image, decoded. `on_shard(name,
    total)` hears of each tar as it is done. Raises DfxError for an unknown level, StoreError where a remote file is
    denied or cannot be had.
    """
    if level not in get_args(Level):
        raise unknown_name("level", level, get_args(Level))
    tables, findings = _read_tables(store)
    index, shards = tables.get(INDEX_FILE), tables.get(SHARDS_FILE)
    findings += _disagreements(store, tables, level)
    notes = []
    if index is None or shards is None:
        lacking = [name for name in (INDEX_FILE, SHARDS_FILE) if name not in tables]
        notes.append(f"the tars could not be compared with {' and '.join(lacking)}")
    if level == "quick" and is_remote(store.root):
        notes.append("the tars' own headers were not read: remotely that takes all of their bytes (--full)")
    contents = (
        [(row["shard"], Content(row["bytes"], row["sha256"])) for row in shards.to_pylist()]
        if shards is not None
        else []
    )
    sizes = place.sizes(store.root)
    images = 0
    with ExitStack() as stack:
        decoders = stack.enter_context(Decoders()) if level == "decode" else None
        rows_of = _by_shard(index) if index is not None else None
        for shard, content in contents:
            if shard not in sizes:
                findings.append(Finding(shard, "is missing"))
            else:
                if sizes[shard] != content.bytes:
                    findings.append(Finding(shard, f"has {sizes[shard]:,} bytes instead of {content.bytes:,}"))
                idx = shard.rpartition(".")[0] + ".idx"
                file, beside, rows = store.root / shard, store.root / idx, rows_of and rows_of(shard)
                if level == "quick":
                    check = check_headers(file, beside, rows)
                else:
                    check = check_bytes(file, beside, rows, content, decoders)
                images += check.images
                findings += [Finding(shard, reason) for reason in check.tar]
                findings += [Finding(idx, reason) for reason in check.idx]
            if on_shard:
                on_shard(shard, len(contents))
        names = tuple(decoders.names) if decoders else ()
    files = len(_SCHEMAS) + 2 * len(contents)
    return Verified(findings=tuple(findings), files=files, images=images, decoders=names, notes=tuple(notes))


def _read_tables(store: Store) -> tuple[dict[str, pa.Table], list[Finding]]:
    """The tables that are what dataset.json says, and what is wrong with the others."""
    tables: dict[str, pa.Table] = {}
    findings = []
    for name, schema in _SCHEMAS.items():
        content = Content(**store.meta["tables"][name])
        try:
            data = b"".join(place.chunks(store.root / name))
        except FileNotFoundError:
            findings.append(Finding(name, "is missing"))
            continue
        if len(data) != content.bytes:
            findings.append(Finding(name, f"has {len(data):,} bytes instead of {content.bytes:,}"))
            continue
        if hashlib.sha256(data).hexdigest() != content.sha256:
            findings.append(Finding(name, "its sha256 is not the recorded one"))
            continue
        try:
            table = pq.read_table(pa.BufferReader(data), use_threads=False, pre_buffer=False)  # see `Store._parquet`
        except (pa.ArrowInvalid, OSError) as error:
            findings.append(Finding(name, f"cannot be read ({str(error).splitlines()[0][:200]})"))
            continue
        if table.schema.equals(schema):
            tables[name] = table
        else:
            findings.append(Finding(name, "has other columns than this version of dfx knows"))
    return tables, findings


def _disagreements(store: Store, tables: dict[str, pa.Table], level: Level) -> Iterator[Finding]:
    """Where whole tables contradict each other or dataset.json."""
    index, clips, shards = (tables.get(name) for name in (INDEX_FILE, CLIPS_FILE, SHARDS_FILE))
    if shards is not None and shards_digest(shards) != store.layout_digest:
        yield Finding(SHARDS_FILE, "is not the table that dataset.json's shards_digest stands for")
    if index is None:
        return
    if level != "quick" and fingerprint(index) != store.fingerprint:
        yield Finding(INDEX_FILE, "is not the table that dataset.json's fingerprint stands for")
    for name, table, column in ((SHARDS_FILE, shards, "shard"), (CLIPS_FILE, clips, "clip")):
        if table is None:
            continue
        said = Counter(dict(zip(table[column].to_pylist(), table["samples"].to_pylist(), strict=True)))
        there = Counter({one["values"]: one["counts"] for one in index[column].value_counts().to_pylist()})
        for differing in sorted(one for one in said.keys() | there.keys() if (said[one] or 0) != there[one])[:1]:
            counts = f"{said[differing] or 0} samples of {differing}, index.parquet {there[differing]}"
            yield Finding(name, f"counts {counts}")


def _by_shard(index: pa.Table) -> Callable[[str], list[Row]]:
    """The rows of one tar at a time, without a walk through the whole index for each."""
    parts: dict[str, list[pa.Table]] = {}
    for shard, rows in by_tar(index.select(["shard", "key", "ext", "offset", "size", "xxh3", "width", "height"])):
        parts.setdefault(shard, []).append(rows)
    return lambda shard: [row for part in parts.get(shard, ()) for row in part.to_pylist()]
