"""Memory over ten epochs of each backend, under a crop and under `forensic`, and the time from a fresh process to the
first batch.

Resident memory is read after each epoch; its slope is fitted over the epochs from the third on: the first two fill
buffers and allocators. Times are medians over fresh processes, in turn: from the start of the interpreter, and from
opening the store, imports done.

python -m benchmarks.memory [--images 1024] [--epochs 10] [--rounds 5] [--threads N] [--json]
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
MB = 1e6
WARM_UP = 2
"""Epochs before the slope."""


def stream(store: str, backend: str, augment: str, threads: int, epochs: int) -> dict[str, Any]:
    """Times of the first batch, on the system's monotonic clock, and resident MB after each epoch."""
    import torch

    from dataengine.loader import Loader
    from dataengine.selection import select

    imported = time.monotonic()
    loader = Loader(
        select([store]), batch=64, mode="train", augment=augment, backend=backend, threads=threads, dtype=torch.uint8
    )
    with loader:
        next(iter(loader))
        first = time.monotonic()
        loader.set_epoch(1)
        resident = []
        for _ in range(epochs):
            for _ in loader:
                pass
            resident.append(resident_mb())
    return {"imported": imported, "first": first, "resident_mb": resident}


def resident_mb() -> float:
    """Of this process (Linux)."""
    kb = re.search(r"^VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(kb[1]) * 1024 / MB if kb else float("nan")


def fresh(store: str, stream_of: str, threads: int, epochs: int) -> dict[str, Any]:
    """`stream` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.memory", "--in-process", store, *stream_of.split(), str(threads)]
    began = time.monotonic()
    done = subprocess.run([*command, str(epochs)], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    said = json.loads(done.stdout)
    return {
        "first_batch_s": said["first"] - said["imported"],
        "first_batch_with_imports_s": said["first"] - began,
        "resident_mb": said["resident_mb"],
    }


def measure(store: str, streams: list[str], threads: int, epochs: int, rounds: int) -> dict[str, Any]:
    """One long process of each stream ("BACKEND AUGMENTATION"), and short ones in turn."""
    starts: dict[str, list[dict[str, Any]]] = {name: [] for name in streams}
    for _ in range(rounds):
        for name in streams:
            starts[name].append(fresh(store, name, threads, 0))
    result: dict[str, Any] = {}
    for name in streams:
        resident = fresh(store, name, threads, epochs)["resident_mb"]
        settled = resident[WARM_UP:] if len(resident) > WARM_UP + 1 else resident
        result[name] = {
            **{
                until: statistics.median(one[until] for one in starts[name])
                for until in ("first_batch_s", "first_batch_with_imports_s")
            },
            "resident_mb": resident,
            "mb_an_epoch": float(np.polyfit(np.arange(len(settled)), settled, 1)[0]),
        }
    return result


def main() -> None:
    """Make the store, measure, show, keep."""
    from benchmarks.loader import RESULTS, make_rows
    from dataengine.backends.slices import usable_cpus
    from dataengine.throughput.machine import machine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1024, help="in the generated store (default: 1024)")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5, help="fresh processes of each backend (default: 5)")
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    chosen = parser.parse_args()
    backends = ["cpu", "dali"] if sys.platform == "linux" else ["cpu"]
    streams = [f"{backend} {augment}" for backend in backends for augment in ("crop", "forensic")]
    with tempfile.TemporaryDirectory() as folder:
        store = str(make_rows(Path(folder), chosen.images).refs[0])
        result = measure(store, streams, chosen.threads, chosen.epochs, chosen.rounds)
    for name, one in result.items():
        print(
            f"{name}: first batch after {one['first_batch_s']:.2f} s, {one['first_batch_with_imports_s']:.2f} s with "
            f"imports; {one['mb_an_epoch']:+.2f} MB an epoch; "
            f"resident after each epoch: {' '.join(f'{mb:.0f}' for mb in one['resident_mb'])} MB"
        )
    on = machine()
    settings = {"images": chosen.images, "epochs": chosen.epochs, "rounds": chosen.rounds, "threads": chosen.threads}
    path = RESULTS / f"memory-{re.sub('[^a-z0-9]+', '-', str(on['processor']).lower()).strip('-')}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"settings": settings, "streams": result, "machine": on}, indent=2) + "\n")
    print(path.read_text() if chosen.json else f"kept in {path}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in-process"]:
        print(json.dumps(stream(*sys.argv[2:5], int(sys.argv[5]), int(sys.argv[6]))))
    else:
        main()
