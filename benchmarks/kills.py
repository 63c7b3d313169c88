"""Kill conversions at random moments and see that nothing is lost: `python -m benchmarks.kills [--ray] [--json FILE]`.

`dfx shard` converts a generated dataset, and SIGKILL reaches it at random moments of its whole life: most of the time
the command itself, which is then started again, else one of its workers, with which it has to go on. Whenever a store
is finished, each of its files is compared with that of an undisturbed run, and the next one begins. With --ray the
workers are tasks on a cluster of three nodes, all on this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dataengine.sample.generate import generate
from dataengine.throughput import machine

WORKER_SHARE = 1 / 3
"""Of the kills that reach a worker, where one is alive."""


@dataclass(slots=True)
class Tally:
    """What happened."""

    kills: Counter[str] = field(default_factory=Counter)
    """By victim: command, worker."""
    stages: Counter[str] = field(default_factory=Counter)
    """Kills by what of the store stood: nothing yet, some shards, all shards (merging), a finished store."""
    starts: int = 0
    stores: int = 0
    """Finished and compared."""
    wrong: list[str] = field(default_factory=list)
    """What a finished store had otherwise than the undisturbed one."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """The command under test."""

    data: Path
    workers: int
    address: str | None
    shown: Path
    """Takes what the command prints."""

    def start(self, out: Path) -> subprocess.Popen[bytes]:
        program = "from cli.main import main; main()"
        options = ["--root", str(self.data), "--out", str(out), "--workers", str(self.workers)]
        small = ["--frames", "12", "--shard-samples", "48"]
        cluster = ["--address", self.address] if self.address else []
        command = [sys.executable, "-c", program, "shard", "ff++", *options, *small, *cluster]
        with self.shown.open("ab") as stream:
            return subprocess.Popen(command, stdout=stream, stderr=stream)


def contents(store: Path) -> dict[str, Any]:
    """All that a store holds, by file, without the seconds that decoding took."""
    found: dict[str, Any] = {}
    for path in sorted(store.rglob("*")):
        if path.is_file():
            found[str(path.relative_to(store))] = path.read_bytes()
    found["clips.parquet"] = pq.read_table(store / "clips.parquet").drop_columns(["decode_s"])
    meta = json.loads(found["dataset.json"])
    del meta["tables"]["clips.parquet"]
    return {**found, "dataset.json": meta}


def differences(store: Path, expected: dict[str, Any]) -> list[str]:
    """Every file that is missing, too many or otherwise, and every sample that is there twice."""
    found = contents(store)
    wrong = [f"{store.name}/{name}" for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)]
    keys = pq.read_table(store / "index.parquet", columns=["key"])["key"].to_pylist()
    return [*wrong, *(f"{store.name}: {key} twice" for key, count in Counter(keys).items() if count > 1)]


def workers_of(command: int, *, on_ray: bool) -> list[int]:
    """The worker processes of a conversion; on Ray, where they belong to the cluster, those with a task in hand."""
    parents, names = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                names[int(entry.name)] = (entry / "cmdline").read_bytes()
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):  # it has just ended
                continue
    root, mark = (os.getpid(), b"ray::_task") if on_ray else (command, b"spawn_main")
    return [pid for pid, name in names.items() if mark in name and root in _ancestors(pid, parents)]


def _ancestors(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while pid := parents.get(pid, 0):
        yield pid


def stage(out: Path, num_shards: int) -> str:
    """What stands of a store."""
    if (out / "dataset.json").exists():
        return "finished"
    done = len(list((out / ".parts").glob("*.done.json")))
    return "nothing yet" if not done else "all shards" if done == num_shards else "some shards"


def run(conversion: Conversion, folder: Path, kills: int, chance: random.Random) -> Tally:
    """Kill until `kills` have been given out, let the last store be finished, and compare each."""
    tally, began = Tally(), time.monotonic()
    if conversion.start(folder / "undisturbed").wait():
        raise SystemExit(conversion.shown.read_text())
    life_s, expected = time.monotonic() - began, contents(folder / "undisturbed")
    num_shards = sum(name.endswith(".tar") for name in expected)
    print(f"undisturbed: {num_shards} shards in {life_s:.1f} s", flush=True)
    out = folder / "store-0"
    while True:
        process, tally.starts = conversion.start(out), tally.starts + 1
        while tally.kills.total() < kills:
            try:
                process.wait(chance.uniform(0, life_s))
                break
            except subprocess.TimeoutExpired:
                _kill(process.pid, conversion.address is not None, out, num_shards, chance, tally)
        code = process.wait()
        if code not in (0, -signal.SIGKILL):
            raise SystemExit(f"the command ended with {code}:\n{conversion.shown.read_text()[-3000:]}")
        if code == 0:
            tally.stores += 1
            tally.wrong += differences(out, expected)
            print(f"{tally.kills.total()} kills, {tally.stores} stores whole, {len(tally.wrong)} wrong", flush=True)
            if tally.kills.total() >= kills:
                return tally
            out = folder / f"store-{tally.stores}"


def _kill(command: int, on_ray: bool, out: Path, num_shards: int, chance: random.Random, to: Tally) -> None:
    workers = workers_of(command, on_ray=on_ray) if chance.random() < WORKER_SHARE else []
    victim, pid = ("worker", chance.choice(workers)) if workers else ("command", command)
    at = stage(out, num_shards)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    to.kills[victim] += 1
    to.stages[at] += 1
    print(f"kill {to.kills.total()}: {victim}, {at}", flush=True)


@contextmanager
def cluster() -> Iterator[str]:
    """A Ray cluster of a head without cores and two nodes with one each; its address."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0"}
    from ray.cluster_utils import Cluster

    node: dict[str, Any] = {"include_dashboard": False, "object_store_memory": 80 << 20}
    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **node})
    try:
        for _ in range(2):
            started.add_node(num_cpus=1, **node)
        yield str(started.address)
    finally:
        started.shutdown()


def main() -> int:
    """Kill, show, keep; 1 where anything was not as in the undisturbed run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=180, help="how many (default: 180)")
    parser.add_argument("--clips", type=int, default=6, help="real videos of the dataset, an even number (default: 6)")
    parser.add_argument("--workers", type=int, default=2, help="of the conversion (default: 2)")
    parser.add_argument("--ray", action="store_true", help="on a Ray cluster on this machine")
    parser.add_argument("--seed", type=int, default=0, help="of moments and victims (default: 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the result to this file")
    chosen = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.getenv("PYTHONPATH")]))
    os.environ["OMP_NUM_THREADS"] = "1"
    began = time.monotonic()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        generate("ff++", folder / "data", clips=chosen.clips, frames=24, size=(320, 240))
        conversion = Conversion(folder / "data", chosen.workers, None, folder / "shown.txt")
        chance = random.Random(chosen.seed)
        if chosen.ray:
            with cluster() as address:
                conversion = Conversion(conversion.data, chosen.workers, address, conversion.shown)
                tally = run(conversion, folder, chosen.kills, chance)
        else:
            tally = run(conversion, folder, chosen.kills, chance)
    result = {
        "executor": "ray" if chosen.ray else "processes",
        "workers": chosen.workers,
        "seed": chosen.seed,
        "kills": tally.kills.total(),
        "victims": dict(tally.kills),
        "stages": dict(tally.stages),
        "starts": tally.starts,
        "stores_compared": tally.stores,
        "wrong": tally.wrong,
        "seconds": round(time.monotonic() - began),
        "machine": machine(),
    }
    print(json.dumps(result, indent=2))
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=2) + "\n")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
