"""A new store of samples that other stores hold: copied byte for byte, checked on the way, one sample in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataengine import place
from dataengine.errors import StoreError
from dataengine.operations.samples import Samples
from dataengine.operations.target import seal, target
from dataengine.publish import publish, working_folder
from dataengine.records import FORMAT, INDEX_SCHEMA, SHARDS_SCHEMA, SPLITS
from dataengine.shard import ShardRecord, finished, stands
from dataengine.splits import shared_identities
from dataengine.store import Store, file_sha256, open_store, open_unchecked
from dataengine.tar import index_path, write_tar
from dataengine.whole import PARTS, write_table, write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """What a new store is to hold."""

    stores: tuple[Store, ...]
    rows: pa.Table
    """INDEX_SCHEMA and `store` (int32, into `stores`), in the order in which the samples will be read and written."""
    clips: pa.Table
    """CLIPS_SCHEMA; `shard` and `samples` are set to what the new store holds."""
    shard_samples: int
    """About so many samples a tar; a clip is never divided."""
    made_by: Mapping[str, Any]
    """The operation's name and arguments: with the stores' contents, what recognises the same store again."""
    about: Mapping[str, Any]
    """dataset.json's layout, settings, split_origin, taxonomy, notes, ..."""

    @property
    def plan(self) -> str:
        """sha256 (hex): the same plan gives the same tars, wherever the stores lie."""
        of = [[store.fingerprint, store.layout_digest] for store in self.stores]
        return hashlib.sha256(json.dumps([FORMAT, dict(self.made_by), of], sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The finished store, and what this call had to do."""

    store: Store
    written: int
    """Shards that this call wrote."""
    kept: int
    """Shards that stood already."""


def rewrite(job: Rewrite, out: Path, on_shard: Callable[[str, int], None] | None = None) -> Rewritten:
    """Write the store `out`; killed at any moment, the same call goes on, to the same bytes.

    `on_shard(name, total)` hears of each tar as it is done. Raises StoreError where `out` holds anything else, the disk
    is full, a sample is damaged or missing in its own store, or there is none to write.
    """
    if job.rows.num_rows == 0:
        raise StoreError("no sample is left to write; nothing is stored")
    shards = pack(job.rows, job.shard_samples)
    with target(out, job.plan) as is_finished:
        recorded = _recorded(out) if is_finished else {}
        sizes = place.sizes(out)
        pending = {name for name, _ in shards if not _stands(out, name, sizes, recorded if is_finished else None)}
        source = Samples(job.stores)
        for name, at in shards:
            if name in pending:
                _write_shard(out, name, _taken(job.rows, at), source, recorded.get(name))
            if on_shard:
                on_shard(name, len(shards))
        if not is_finished:
            _seal(job, out, [name for name, _ in shards])
    return Rewritten(open_store(out), len(pending), len(shards) - len(pending))


def pack(rows: pa.Table, shard_samples: int) -> list[tuple[str, npt.NDArray[np.int64]]]:
    """The new shards' names, and which rows go into each, in their order.

    The clips of a split are taken as they come up first, so that each source tar is read in turn, and cut into shards
    of about `shard_samples`; all samples of a clip go into one. Raises StoreError for a split that no store has.
    """
    if shard_samples < 1:
        raise StoreError(f"--shard-samples is {shard_samples}; give at least 1")
    split = rows["split"].combine_chunks()
    if strange := sorted({str(name) for name in pc.unique(split).to_pylist()} - set(SPLITS)):
        raise StoreError(f"the split '{strange[0]}' is none of {', '.join(SPLITS)}; verify the store it comes from")
    shards: list[tuple[str, npt.NDArray[np.int64]]] = []
    for name in SPLITS:
        at = np.flatnonzero(pc.equal(split, name).to_numpy(zero_copy_only=False))
        if not len(at):
            continue
        clip = pc.dictionary_encode(rows["clip"].take(pa.array(at)).combine_chunks())
        codes = (clip.combine_chunks() if isinstance(clip, pa.ChunkedArray) else clip).indices.to_numpy()
        counts = np.bincount(codes)
        begins = np.cumsum(counts) - counts
        shard_of_clip = np.unique(begins * max(1, round(len(at) / shard_samples)) // len(at), return_inverse=True)[1]
        shard_of_row = shard_of_clip[codes]
        parts = np.split(at[np.argsort(shard_of_row, kind="stable")], np.cumsum(np.bincount(shard_of_row))[:-1])
        shards.extend((f"{name}-{number:06d}.tar", part) for number, part in enumerate(parts))
    return shards


def _taken(rows: pa.Table, at: npt.NDArray[np.int64]) -> pa.Table:
    """Rows that lie near each other, sliced first: `take` copies the whole of a table that has several chunks."""
    first = int(at.min())
    return rows.slice(first, int(at.max()) + 1 - first).take(pa.array(at - first))


def made_from(stores: tuple[Store, ...]) -> list[dict[str, str]]:
    """The stores as `made_by` names them in dataset.json; the path is where each lay then, as it was given."""
    return [{"name": store.name, "path": str(store.root), "fingerprint": store.fingerprint} for store in stores]


def _recorded(out: Path) -> dict[str, ShardRecord]:
    return {row["shard"]: ShardRecord(**row) for row in open_unchecked(out).shards().to_pylist()}


def _stands(out: Path, name: str, sizes: Mapping[str, int], recorded: Mapping[str, ShardRecord] | None) -> bool:
    if recorded is None:
        return finished(name, out, sizes) is not None
    return stands(name, recorded[name].bytes, sizes)


def _write_shard(out: Path, name: str, rows: pa.Table, source: Samples, recorded: ShardRecord | None) -> None:
    index, done = (f"{PARTS}/{name}.{kind}" for kind in ("index.parquet", "done.json"))
    with working_folder(out) as folder:
        tar = folder / name
        offsets = write_tar(tar, source.of(rows))
        columns = {column: rows[column] for column in INDEX_SCHEMA.names}
        columns |= {"shard": pa.array([name] * len(offsets), pa.string()), "offset": pa.array(offsets, pa.int64())}
        record = ShardRecord(name, len(offsets), tar.stat().st_size, file_sha256(tar))
        if recorded is not None and record.sha256 != recorded.sha256:
            raise StoreError(f"{out / name}, written anew, would not be what it was; delete {out} and write it again")
        write_table(folder / index, pa.table(columns, schema=INDEX_SCHEMA))
        write_whole(folder / done, json.dumps(asdict(record)).encode())
        publish(folder, out, [index_path(tar).name, tar.name, index, done])


@dataclass(frozen=True, slots=True)
class _Row:
    split: str
    target_id: str
    source_id: str


def _seal(job: Rewrite, out: Path, names: list[str]) -> None:
    parts = [pq.read_table(out / PARTS / f"{name}.index.parquet") for name in names]
    index = pa.concat_tables(parts).sort_by([("shard", "ascending"), ("offset", "ascending")])
    sizes = place.sizes(out)
    found = (finished(name, out, sizes) for name in names)
    records = sorted(filter(None, found), key=lambda record: record.shard)
    clips = _clips(job.clips, index)
    held = set(zip(clips["dataset"].to_pylist(), clips["raw_method"].to_pylist(), strict=True))
    taxonomy = [entry for entry in job.about.get("taxonomy", []) if (entry["dataset"], entry["raw_method"]) in held]
    identities = zip(*(clips[name].to_pylist() for name in ("split", "target_id", "source_id")), strict=True)
    about = {
        **job.about,
        "taxonomy": taxonomy,
        "made_by": {**job.made_by, "stores": made_from(job.stores)},
        "plan": job.plan,
        "clips": clips.num_rows,
        "shared_identities": shared_identities(_Row(*row) for row in identities),
    }
    shards = pa.Table.from_pylist([asdict(record) for record in records], schema=SHARDS_SCHEMA)
    seal(out, index, clips, shards, about)


def _clips(clips: pa.Table, index: pa.Table) -> pa.Table:
    """The clips with the shard and the number of their samples in the new store; "" and 0 for those without any."""
    counted = index.group_by("clip").aggregate([("shard", "min"), ("key", "count")])
    held = {row["clip"]: (row["shard_min"], row["key_count"]) for row in counted.to_pylist()}
    now = [held.get(clip, ("", 0)) for clip in clips["clip"].to_pylist()]
    for name, place_in_pair in (("shard", 0), ("samples", 1)):
        at = clips.schema.get_field_index(name)
        values = pa.array([pair[place_in_pair] for pair in now], clips.schema.field(name).type)
        clips = clips.set_column(at, clips.schema.field(name), values)
    return clips.sort_by("clip")
