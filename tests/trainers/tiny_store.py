"""A store of a few small images whose method shows in their colour: enough to train on in a second."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg
import xxhash

from dataengine.records import CLIPS_SCHEMA, FORMAT, INDEX_SCHEMA, REAL, SHARDS_SCHEMA
from dataengine.store import fingerprint

METHODS = (REAL, "Deepfakes", "Face2Face")
_HUE = {REAL: (90, 120, 90), "Deepfakes": (200, 60, 60), "Face2Face": (60, 60, 200)}


def write_store(
    root: Path,
    *,
    clips: Mapping[str, int],
    methods: Sequence[str] = METHODS,
    frames: int = 2,
    px: int = 40,
    seed: int = 0,
    broken: Sequence[str] = (),
    people: Callable[[str, int, str], tuple[str, str]] | None = None,
) -> Path:
    """Write a store with `clips[split]` clips of each method; the keys in `broken` get bytes that are no image.

    `people(split, number, method)` says who a clip shows, target and source; else each clip's number is its own person.
    """
    rng = np.random.default_rng(seed)
    root.mkdir(parents=True)
    index, shards, clip_rows = [], [], []
    for split, num_clips in clips.items():
        shard = f"{split}-000000.tar"
        with tarfile.open(root / shard, "w", format=tarfile.USTAR_FORMAT) as tar:
            for number in range(num_clips):
                for method in methods:
                    clip = f"{root.name}/{method}/{split}{number:03d}"
                    row = _clip_row(root.name, split, method, clip)
                    if people is not None:
                        target, source = people(split, number, method)
                        row |= {"target_id": target, "group": target, "source_id": source}
                    clip_rows.append({**row, "status": "ok", "samples": frames, "path": clip, "shard": shard})
                    for frame in range(frames):
                        key = f"{clip}/{frame:06d}"
                        noise = rng.integers(-40, 40, (px, px, 3))
                        pixels = (np.array(_HUE.get(method, (200, 200, 60))) + noise).clip(0, 255).astype(np.uint8)
                        data = simplejpeg.encode_jpeg(pixels, quality=95, colorsubsampling="444")
                        if key in broken:
                            data = b"no image" * 20
                        info = tarfile.TarInfo(f"{key}.jpg")
                        info.size = len(data)
                        offset = tar.offset + tarfile.BLOCKSIZE
                        tar.addfile(info, io.BytesIO(data))
                        facts = {"offset": offset, "size": len(data), "xxh3": xxhash.xxh3_64_intdigest(data)}
                        place = {"key": key, "shard": shard, "ext": "jpg", "frame": frame, "width": px, "height": px}
                        index.append({**row, **facts, **place})
        data = (root / shard).read_bytes()
        count = sum(row["shard"] == shard for row in index)
        sha256 = hashlib.sha256(data).hexdigest()
        shards.append({"shard": shard, "samples": count, "bytes": len(data), "sha256": sha256})
    table = _table(index, INDEX_SCHEMA)
    pq.write_table(table, root / "index.parquet")
    pq.write_table(_table(clip_rows, CLIPS_SCHEMA), root / "clips.parquet")
    pq.write_table(_table(shards, SHARDS_SCHEMA), root / "shards.parquet")
    digest = hashlib.sha256(json.dumps(shards).encode()).hexdigest()
    meta = {"format": FORMAT, "layout": "folder", "fingerprint": fingerprint(table), "shards_digest": digest}
    meta |= {"settings": {}, "split_origin": "folder", "notes": [], "leaks": [], "shared_identities": 0}
    tables = {name: (root / name).read_bytes() for name in ("index.parquet", "clips.parquet", "shards.parquet")}
    meta["tables"] = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in tables.items()
    }
    (root / "dataset.json").write_text(json.dumps(meta))
    return root


def _clip_row(dataset: str, split: str, method: str, clip: str) -> dict[str, object]:
    identity = f"{dataset}/{clip[-8:]}"
    return {
        "split": split,
        "label": int(method != REAL),
        "dataset": dataset,
        "raw_method": method,
        "method": method,
        "category": method,
        "quality": "",
        "clip": clip,
        "score": 0.0,
        "origin": "",
        "target_id": identity,
        "source_id": "",
        "group": identity,
    }


def _table(rows: Sequence[Mapping[str, object]], schema: pa.Schema) -> pa.Table:
    return pa.table({field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in schema})
