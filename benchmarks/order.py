"""Measure orders: positions a second, time to build one and to go on in its middle, memory; and how well they mix.

python -m benchmarks.order [--up-to 9] [--rounds 5]

On one thread, over rows made of numbers: clips of 32 frames, mixed within shards of 2,048 rows, six methods, two
stores. A rate is the median of `--rounds` over 2**19 positions from the middle of the epoch on, by processor time:
what else the machine does enters only through its caches. `restore_s` is the time on the clock to build the order
anew and find the 256 rows at its middle. `bytes` are those of the arrays that it keeps, in memory or in a file.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks import mixing
from dataengine.order import Order, parse_policy
from dataengine.throughput import machine

Ints = npt.NDArray[np.int64]

RESULTS = Path(__file__).parent / "results"
FRAMES, SHARD, METHODS = 32, 2048, 6
POLICIES = {
    "sequential": 9,
    "shuffled": 9,
    "blocked": 9,
    "shuffled:frames_per_clip=8": 8,
    "balanced": 8,
    "balanced:frames_per_clip=8": 8,
    "groups:classes=4,per_class=8": 8,
    "mixed:a=2,b=1": 8,
    "mixed:a=2,b=1/balanced": 8,
}
"""Policy -> the power of ten up to which it is measured: 10**9 rows where it keeps nothing that grows with them."""


@dataclass(frozen=True, slots=True)
class Named:
    """A store's name."""

    name: str
    fingerprint: str = ""
    layout_digest: str = ""


@dataclass(frozen=True, slots=True)
class Numbered:
    """So many rows, whose columns are made when they are asked for."""

    num_rows: int
    stores: tuple[Named, Named] = (Named("a"), Named("b"))

    def __len__(self) -> int:
        return self.num_rows

    def identity(self) -> dict[str, list[str]]:
        """Their number."""
        return {"fingerprints": [str(self.num_rows)]}

    def shard_sizes(self) -> Ints:
        """Whole shards, and what is left."""
        sizes = np.full(-(-self.num_rows // SHARD), SHARD)
        sizes[-1] -= sizes.sum() - self.num_rows
        return sizes

    def codes(self, name: str) -> tuple[Ints, Any]:
        """`clip`: a shard's rows mixed, then 32 to a clip, those of the last shard as they come; `method` of it."""
        clips = np.arange(self.num_rows)
        whole = self.num_rows // SHARD * SHARD
        mixed = np.random.default_rng(0).permutation(SHARD)
        clips[:whole] += np.tile(mixed - np.arange(SHARD), whole // SHARD)
        clips //= FRAMES
        if name == "clip":
            return clips, range(-(-self.num_rows // FRAMES))
        clips *= 2654435761
        clips >>= 7
        clips %= METHODS
        return clips, range(METHODS)

    def column(self, name: str) -> Ints:
        """`store`: two thirds of the rows are the first one's."""
        assert name == "store"
        return (np.arange(self.num_rows) >= self.num_rows * 2 // 3).astype(np.int32)


def kept_bytes(thing: object, seen: set[int] | None = None) -> int:
    """Bytes of the arrays below an object."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, Numbered):
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    below = thing if isinstance(thing, list | tuple) else getattr(thing, "__dict__", {}).values()
    return sum(kept_bytes(part, seen) for part in below)


def measure(policy: str, power: int, rounds: int) -> dict[str, Any]:
    """One policy over 10**power rows."""
    rows, parsed = Numbered(10**power), parse_policy(policy)
    began = time.perf_counter()
    order = Order(parsed, rows, 0)
    built = time.perf_counter()
    middle = order.length(0) // 2
    order.rows(np.arange(middle, middle + 256), 5)
    restored = time.perf_counter()
    positions = np.arange(middle, min(middle + (1 << 19), order.length(0)))
    rates = []
    for epoch in range(rounds):
        start = time.process_time()
        order.rows(positions, epoch)
        rates.append(len(positions) / (time.process_time() - start))
    return {
        "policy": policy,
        "rows": len(rows),
        "positions_per_s": statistics.median(rates),
        "low": min(rates),
        "high": max(rates),
        "build_s": built - began,
        "restore_s": restored - began,
        "bytes": kept_bytes(order),
    }


def show(speeds: list[dict[str, Any]], mixed: list[dict[str, Any]]) -> None:
    """Both tables."""
    table = Table("policy", "rows", "million positions/s", "build s", "restore s", "MiB", "bytes a row")
    for result in speeds:
        table.add_row(
            result["policy"],
            f"10^{len(str(result['rows'])) - 1}",
            f"{result['positions_per_s'] / 1e6:.1f}",
            f"{result['build_s']:.3f}",
            f"{result['restore_s']:.3f}",
            f"{result['bytes'] / 2**20:.1f}",
            f"{result['bytes'] / result['rows']:.2f}",
        )
    Console(width=120).print(table)
    table = Table("shards", "order", "mixing (1: random)", "classes in a batch", "share of the top two")
    for result in mixed:
        values = f"{result['mixing']:.2f}", f"{result['classes']:.1f}", f"{result['top_two']:.0%}"
        table.add_row(mixing.LAYOUTS[result["layout"]], result["reader"], *values)
    Console(width=120).print(table)


def main() -> None:
    """Measure, show, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--up-to", type=int, default=9, help="the power of ten of the most rows")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    speeds = [
        measure(policy, power, chosen.rounds)
        for policy, top in POLICIES.items()
        for power in range(6, min(top, chosen.up_to) + 1)
    ]
    mixed = mixing.measure()
    show(speeds, mixed)
    facts = machine()
    path = chosen.out / f"order-{re.sub('[^a-z0-9]+', '-', facts['processor'].lower()).strip('-')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": facts, "threads": 1, "speed": speeds, "mixing": mixed}, indent=2) + "\n")
    mixing.draw_figure(mixed, chosen.out / "shuffle-quality.png")
    print(f"kept in {path} and {chosen.out / 'shuffle-quality.png'}")


if __name__ == "__main__":
    main()
