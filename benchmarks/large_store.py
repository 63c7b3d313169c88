"""Measure a store of many rows: how long it takes, and how much memory, to open it, show it and select from it.

python -m benchmarks.large_store [--samples 10000000] [--rounds 3] [--json]

The store is synthetic: tables of FaceForensics++'s form, 32 images a clip and 2,000 a shard, mixed within shards as a
conversion mixes them, and tars of the right length that hold nothing. What is measured runs in a fresh process each
time, imports included: the median and the worst of `--rounds` times on the clock, the median processor time of all
threads, which what else the machine does hardly changes, and the largest resident set (Linux).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from dataengine.records import CLIPS_SCHEMA, FORMAT, INDEX_SCHEMA, SHARDS_SCHEMA, SPLITS
from dataengine.store import CLIPS_FILE, DATASET_FILE, INDEX_FILE, SHARDS_FILE, file_sha256, shards_digest

ROOT, RESULTS = Path(__file__).parents[1], Path(__file__).parent / "results"
FRAMES, SHARD, IMAGE_BYTES = 32, 2000, 24_000
METHODS = ("real", "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")
PARTS = {"open": 3, "info": 3, "select": 1, "select_train": 1, "fingerprint": 1, "format_leaks": 1}
"""What is measured, and in how many of every three rounds."""


def make(root: Path, samples: int) -> Path:
    """Write the store, a million rows at a time."""
    root.mkdir(parents=True)
    num_clips, num_shards = -(-samples // FRAMES), -(-samples // SHARD)
    clips = _clips(num_clips, num_shards)
    _shards(root, samples, num_shards)
    pq.write_table(clips.select(CLIPS_SCHEMA.names).cast(CLIPS_SCHEMA), root / CLIPS_FILE, compression="zstd")
    rng = np.random.default_rng(0)
    with pq.ParquetWriter(root / INDEX_FILE, INDEX_SCHEMA, compression="zstd") as writer:
        step = 500 * SHARD
        for start in range(0, samples, step):
            rows = np.arange(start, min(start + step, samples))
            mixed = rng.permuted(rows[: len(rows) // SHARD * SHARD].reshape(-1, SHARD), axis=1).reshape(-1)
            rows[: len(mixed)] = mixed
            writer.write_table(_index(clips, rows, start, rng))
    tables = {
        name: {"bytes": (root / name).stat().st_size, "sha256": file_sha256(root / name)}
        for name in (INDEX_FILE, CLIPS_FILE, SHARDS_FILE)
    }
    meta = {"format": FORMAT, "dfx": "0", "layout": "ff++", "settings": {"extract": {}}, "split_origin": "synthetic"}
    meta |= {"notes": [], "leaks": [], "shared_identities": {}, "fingerprint": "0" * 64, "tables": tables}
    meta["shards_digest"] = shards_digest(pq.read_table(root / SHARDS_FILE))
    (root / DATASET_FILE).write_text(json.dumps(meta))
    return root


def _clips(num_clips: int, num_shards: int) -> pa.Table:
    number = np.arange(num_clips)
    method, person = number % len(METHODS), number // len(METHODS)
    split, shard = person % 20, number * num_shards // num_clips
    splits = np.array(SPLITS[:3])[np.where(split < 14, 0, np.where(split < 17, 1, 2))]
    names = np.array(METHODS)[method]
    identity = pc.binary_join_element_wise("ff++/", pc.cast(person, pa.string()), "")
    clip = pc.binary_join_element_wise("ff++/manipulated_sequences", names, "c23/videos", number.astype(str), "/")
    known = {
        "clip": clip,
        "path": clip,
        "shard": pc.binary_join_element_wise("train-", pc.utf8_lpad(pc.cast(shard, "string"), 6, "0"), ".tar", ""),
        "split": splits,
        "label": (method > 0).astype(np.int8),
        "method": names,
        "raw_method": names,
        "category": np.where(method > 0, "face swap", "real"),
        "target_id": identity,
        "source_id": identity,
        "group": identity,
        "samples": np.full(num_clips, FRAMES),
    }
    constant = {"dataset": "ff++", "quality": "c23", "status": "ok", "reason": "", "source_bytes": 2_000_000}
    known |= {name: pa.repeat(value, num_clips) for name, value in constant.items()}
    for field in CLIPS_SCHEMA:
        known.setdefault(field.name, _blank(field, num_clips))
    return pa.table(known)


def _shards(root: Path, samples: int, num_shards: int) -> None:
    names = [f"train-{number:06d}.tar" for number in range(num_shards)]
    counts = [min(SHARD, samples - number * SHARD) for number in range(num_shards)]
    for name, count in zip(names, counts, strict=True):
        with (root / name).open("wb") as stream:
            stream.truncate(count * IMAGE_BYTES)
    sums = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    columns = [names, counts, [count * IMAGE_BYTES for count in counts], sums]
    pq.write_table(pa.table(columns, schema=SHARDS_SCHEMA), root / SHARDS_FILE, compression="zstd")


def _index(clips: pa.Table, rows: np.ndarray, start: int, rng: np.random.Generator) -> pa.Table:
    """Rows `start` and on, which hold the samples `rows`."""
    position, frame = np.arange(start, start + len(rows)), rows % FRAMES * 10
    own = clips.take(rows // FRAMES)
    shard = pc.utf8_lpad(pc.cast(position // SHARD, "string"), 6, "0")
    sides = rng.integers(120, 257, len(rows), dtype=np.int32)
    columns: dict[str, Any] = {name: own[name] for name in INDEX_SCHEMA.names if name in own.column_names}
    columns |= {
        "key": pc.binary_join_element_wise(own["clip"], pc.utf8_lpad(pc.cast(frame, "string"), 6, "0"), "/"),
        "shard": pc.binary_join_element_wise("train-", shard, ".tar", ""),
        "offset": position % SHARD * IMAGE_BYTES + 512,
        "size": rng.integers(8_000, 20_000, len(rows), dtype=np.int32),
        "xxh3": rng.integers(0, 2**64, len(rows), dtype=np.uint64),
        "ext": pa.repeat("jpg", len(rows)),
        "frame": frame,
        "score": rng.random(len(rows), dtype=np.float32),
        "origin": pa.repeat("detected", len(rows)),
        "width": sides,
        "height": sides,
    }
    for name in ("box_x0", "box_y0", "box_x1", "box_y1"):
        columns[name] = rng.random(len(rows), dtype=np.float32) * 1000
    for field in INDEX_SCHEMA:
        columns.setdefault(field.name, _blank(field, len(rows)))
    return pa.table(columns).select(INDEX_SCHEMA.names).cast(INDEX_SCHEMA)


def _blank(field: pa.Field, length: int) -> pa.Array:
    return pa.repeat(pa.scalar("" if field.type == pa.string() else 0, field.type), length)


def part(name: str, store: str) -> Callable[[], object]:
    """What is measured under a name."""
    from dataengine.leaks.formats import format_leaks
    from dataengine.selection import select
    from dataengine.store import fingerprint, open_store

    def info() -> None:
        from typer.testing import CliRunner

        from cli.main import app

        done = CliRunner().invoke(app, ["info", store])
        if done.exit_code:
            raise RuntimeError(done.output)

    return {
        "open": lambda: open_store(store),
        "info": info,
        "select": lambda: select([store]),
        "select_train": lambda: select([f"{store}@method=real,FaceSwap"], split="train"),
        "fingerprint": lambda: fingerprint(open_store(store).index(["key", "xxh3", "label", "method", "split"])),
        "format_leaks": lambda: format_leaks(
            open_store(store).index(["label", "clip", "ext", "quality", "width"]),
        ),
    }[name]


def used() -> dict[str, float]:
    """Processor time and largest resident set of this process."""
    # Not ru_maxrss: a process inherits that of the one that started it.
    peak = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return {"cpu_s": time.process_time(), "peak_mb": int(peak[1]) * 1024 / 1e6 if peak else float("nan")}


def fresh(name: str, store: str) -> dict[str, float]:
    """What one process that does it takes."""
    began = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.large_store", "--in-process", name, store]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return {"seconds": time.monotonic() - began, **json.loads(done.stdout)}


def measure(store: str, rounds: int) -> dict[str, dict[str, float]]:
    """Every part, in turn."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in PARTS}
    for number in range(rounds):
        for name, share in PARTS.items():
            if number % 3 < share:
                found[name].append(fresh(name, store))
    return {
        name: {
            "seconds": statistics.median(run["seconds"] for run in runs),
            "worst_s": max(run["seconds"] for run in runs),
            "cpu_s": statistics.median(run["cpu_s"] for run in runs),
            "peak_mb": max(run["peak_mb"] for run in runs),
        }
        for name, runs in found.items()
    }


def main() -> None:
    """Make the store, measure, show, keep."""
    from dataengine.throughput.machine import machine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store", type=Path, help="made before; or where it is made and kept")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = chosen.store or Path(folder) / "ff++"
        if not (store / DATASET_FILE).exists():
            make(store, chosen.samples)
        result = measure(str(store.resolve()), chosen.rounds)
        files = {name: (store / name).stat().st_size for name in (INDEX_FILE, CLIPS_FILE, SHARDS_FILE)}
    table = Table("", "seconds (median)", "worst", "processor s", "peak MB")
    for name, one in result.items():
        seconds = (f"{one[what]:.2f}" for what in ("seconds", "worst_s", "cpu_s"))
        table.add_row(name, *seconds, f"{one['peak_mb']:.0f}")
    Console(width=100).print(table)
    on = machine()
    on["versions"] = {name: version(name) for name in ("pyarrow", "numpy")}
    path = RESULTS / f"large-store-{re.sub('[^a-z0-9]+', '-', str(on['processor']).lower()).strip('-')}.json"
    settings = {"samples": chosen.samples, "rounds": chosen.rounds, "load_average_1_min": round(os.getloadavg()[0], 1)}
    path.write_text(json.dumps({"settings": settings, "bytes": files, "parts": result, "machine": on}, indent=2) + "\n")
    print(path.read_text() if chosen.json else f"kept in {path}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in-process"]:
        part(sys.argv[2], sys.argv[3])()
        print(json.dumps(used()))
    else:
        main()
