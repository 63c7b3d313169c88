"""Several loaders on one store at once, as the trials of a sweep: their speed, and the memory that they share.

Each reader is a process of its own with its share of the threads. They begin together, and each goes on for the same
time. Memory is read while all of them still hold theirs. With a remote store each run begins with an empty cache, and
what the readers download is counted: together they should download what they read once.

python -m benchmarks.readers [--images 1024] [--readers 1 2 4] [--rounds 5] [--seconds 4] [--store PATH_OR_URL] [--json]
"""

from __future__ import annotations

import argparse
import ctypes
import json
import mmap
import multiprocessing
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.loader import RESULTS, make_rows
from dataengine.backends.slices import usable_cpus
from dataengine.loader import Loader
from dataengine.remote import RemotePath, is_url
from dataengine.selection import Rows, select
from dataengine.throughput.machine import machine

MB = 1e6
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What each reader does."""

    store: str
    threads: int
    seconds: float
    batch: int = 64
    size: int = 224


def count_downloads() -> list[int]:
    """Lengths of all chunks that this process downloads from now on."""
    lengths: list[int] = []
    chunks = RemotePath.chunks

    def counted(self: RemotePath, *args: Any, **options: Any) -> Iterator[bytes]:
        for chunk in chunks(self, *args, **options):
            lengths.append(len(chunk))
            yield chunk

    RemotePath.chunks = counted  # type: ignore[method-assign]
    return lengths


def read(work: Work, together: Barrier, answer: Connection) -> None:
    """Stream for the time, and send what it took."""
    downloaded = count_downloads()
    rows = select([work.store])
    with Loader(
        rows, batch=work.batch, mode="train", augment="crop", size=work.size, threads=work.threads, dtype=torch.uint8
    ) as loader:
        together.wait()
        began, images = time.perf_counter(), 0
        while time.perf_counter() - began < work.seconds:
            for batch in loader:
                images += len(batch.rows)
                if time.perf_counter() - began >= work.seconds:
                    break
        took = time.perf_counter() - began
        together.wait()
        answer.send({"images_per_s": images / took, **memory(), "downloaded_mb": sum(downloaded) / MB})
        together.wait()


def memory() -> dict[str, float]:
    """This process's memory in MB (Linux): resident, and its part of what it shares with others (proportional)."""
    rollup = Path("/proc/self/smaps_rollup")
    if not rollup.exists():
        return {}
    kb = {name: int(value) for name, value in re.findall(r"^(\w+): +(\d+) kB", rollup.read_text(), re.MULTILINE)}
    parts = {"rss": "Rss", "pss": "Pss", "pss_anonymous": "Pss_Anon", "pss_files": "Pss_File"}
    return {f"{name}_mb": kb[field] * 1024 / MB for name, field in parts.items()}


def cached_mb(rows: Rows) -> float:
    """MB of a local store's shards that the page cache holds: once, however many read them (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    pages = 0
    for path in rows.shard_files:
        with open(str(path), "rb") as file, mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE) as mapped:
            resident = (ctypes.c_ubyte * -(-len(mapped) // mmap.PAGESIZE))()
            start = ctypes.c_ubyte.from_buffer(mapped)
            if libc.mincore(ctypes.byref(start), ctypes.c_size_t(len(mapped)), resident):
                raise OSError(ctypes.get_errno(), "mincore failed")
            pages += int(np.count_nonzero(np.frombuffer(bytes(resident), np.uint8) & 1))
            del start
    return pages * mmap.PAGESIZE / MB


def run(work: Work, num_readers: int) -> list[dict[str, float]]:
    """What each of so many readers at once says."""
    together = _SPAWN.Barrier(num_readers)
    pipes = [_SPAWN.Pipe(duplex=False) for _ in range(num_readers)]
    readers = [_SPAWN.Process(target=read, args=(work, together, tells), daemon=True) for _, tells in pipes]
    for reader, (_, tells) in zip(readers, pipes, strict=True):
        reader.start()
        tells.close()
    try:
        return [hears.recv() for hears, _ in pipes]
    except EOFError:
        raise SystemExit("a reader ended before it answered; what it says stands above") from None
    finally:
        for reader in readers:
            reader.join(10)
            reader.kill()


def measure(store: str, counts: list[int], rounds: int, seconds: float) -> dict[str, Any]:
    """Medians over the rounds, which take each number of readers in turn."""
    answers: dict[int, list[list[dict[str, float]]]] = {count: [] for count in counts}
    for _ in range(rounds):
        for count in counts:
            work = Work(store=store, threads=max(1, usable_cpus() // count), seconds=seconds)
            with tempfile.TemporaryDirectory() as cache:
                os.environ["DFX_CACHE"] = cache
                answers[count].append(run(work, count))
    rows = select([store])
    result: dict[str, Any] = {
        "seconds": seconds,
        "rounds": rounds,
        "num_images": len(rows),
        "samples_mb": float(rows.column("size").sum()) / MB,
        "readers": [_summary(count, answers[count]) for count in counts],
    }
    if not is_url(store) and hasattr(ctypes.CDLL(None), "mincore"):
        result["page_cache_mb"] = cached_mb(rows)
    return result


def _summary(count: int, rounds: list[list[dict[str, float]]]) -> dict[str, Any]:
    each = {name: statistics.median(one[name] for answers in rounds for one in answers) for name in rounds[0][0]}
    total = {name: statistics.median(sum(one[name] for one in answers) for answers in rounds) for name in each}
    threads = max(1, usable_cpus() // count)
    return {"readers": count, "threads_each": threads, "each": each, "total": total}


def main() -> None:
    """Make the store, measure, show, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1024, help="in the generated store (default: 1024)")
    parser.add_argument("--readers", type=int, nargs="+", default=[1, 2, 4], help="processes at once (default: 1 2 4)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each reader in a round (default: 4)")
    parser.add_argument("--store", help="a store or its URL, instead of a generated one")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = chosen.store or str(make_rows(Path(folder), chosen.images).refs[0])
        result = measure(store, chosen.readers, chosen.rounds, chosen.seconds)
    for one in result["readers"]:
        total, each = one["total"], one["each"]
        held = f"  PSS {each['pss_mb']:,.0f} MB and RSS {each['rss_mb']:,.0f} MB each" if "pss_mb" in each else ""
        print(
            f"{one['readers']} readers: {total['images_per_s']:,.0f} images/s in all, {each['images_per_s']:,.0f} each"
            f"{held}  {total['downloaded_mb']:,.1f} MB downloaded in all"
        )
    if "page_cache_mb" in result:
        print(f"{result['page_cache_mb']:,.0f} MB of the shards in the page cache, once for all readers")
    on = machine()
    words = ["readers", *(["remote"] if is_url(store) else []), str(on["processor"]), f"{on['usable_cpus']} cpus"]
    path = RESULTS / f"{re.sub('[^a-z0-9]+', '-', ' '.join(words).lower()).strip('-')}.json"
    path.parent.mkdir(exist_ok=True)
    result = {"store": chosen.store or "generated, 256 px", **result, "machine": on}
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(path.read_text() if chosen.json else f"kept in {path}")


if __name__ == "__main__":
    main()
