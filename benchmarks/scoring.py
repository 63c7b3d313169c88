"""Measure scoring: a table of predictions to every metric, and to every interval.

python -m benchmarks.scoring [--frames 1000000] [--groups 1000] [--resamples 1000] [--rounds 3]

The table is drawn at random: five classes (real and four methods), clips of 32 frames, each clip of one of the groups,
and hardly two frames with the same score, which is the dearest case. `score_s` is the time on the clock from the table
to every metric, by frame and by clip; `assess_s` to those with the bootstrap intervals of all of them, recall by method
and the confusion matrix: the least of `--rounds`. `_cpu_s` is the processor time of that round, which other work on the
machine does not enter. `peak_bytes` is the most memory that the process ever held.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from dataengine.throughput import machine
from trainers.evaluation.assess import assess, levels_of
from trainers.metrics import score
from trainers.taxonomy import Taxonomy

RESULTS = Path(__file__).parent / "results"
CLASSES = ("real", "deepfakes", "face2face", "faceswap", "neuraltextures")
FRAMES = 32
GIVEN = {"frame": 0.7, "clip": 0.7}
TEMPERATURES = {"frame": 1.5, "clip": 1.5}


def made(frames: int, groups: int, skill: float = 1.5) -> pa.Table:
    """A table of that many frames, all of them readable."""
    rng = np.random.default_rng(0)
    num_clips = -(-frames // FRAMES)
    truth_of, group_of = rng.integers(0, len(CLASSES), num_clips), rng.integers(0, groups, num_clips)
    clip = np.arange(frames) // FRAMES
    truth = truth_of[clip]
    logits = rng.normal(size=(num_clips, len(CLASSES)))[clip] + rng.normal(size=(frames, len(CLASSES)))
    logits[np.arange(frames), truth] += skill
    p = np.exp(logits)
    p = (p / p.sum(axis=1, keepdims=True)).astype(np.float32)
    columns = {
        "key": pa.array([f"{i:09d}" for i in range(frames)]),
        "clip": pa.array([f"clip{i:07d}" for i in range(num_clips)]).take(pa.array(clip)),
        "group": pa.array([f"person{i:05d}" for i in range(groups)]).take(pa.array(group_of[clip])),
        "label": pa.array((truth > 0).astype(np.int8)),
        "method": pa.array(CLASSES).take(pa.array(truth)),
        "valid": pa.array(np.ones(frames, dtype=bool)),
    }
    return pa.table(columns | {f"p_{name}": p[:, i] for i, name in enumerate(CLASSES)})


def measure(frames: int, groups: int, resamples: int, rounds: int) -> dict[str, Any]:
    """One size."""
    table, taxonomy = made(frames, groups), Taxonomy(task="attribution", classes=CLASSES)

    def score_all() -> None:
        for name, level in levels_of(table).items():
            score(level, taxonomy, threshold=GIVEN[name], temperature=TEMPERATURES[name])

    def assess_all() -> None:
        assess(table, taxonomy, thresholds=GIVEN, temperatures=TEMPERATURES, resamples=resamples)

    scoring, assessing = (min(timed(work) for _ in range(rounds)) for work in (score_all, assess_all))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)
    return {
        "frames": frames,
        "clips": -(-frames // FRAMES),
        "groups": groups,
        "resamples": resamples,
        "score_s": scoring[0],
        "score_cpu_s": scoring[1],
        "assess_s": assessing[0],
        "assess_cpu_s": assessing[1],
        "peak_bytes": peak,
    }


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds on the clock, and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def show(results: list[dict[str, Any]]) -> None:
    """The table."""
    table = Table("frames", "clips", "groups", "every metric s (cpu)", "resamples", "intervals too s (cpu)", "MiB")
    for one in results:
        table.add_row(
            f"{one['frames']:,}",
            f"{one['clips']:,}",
            f"{one['groups']:,}",
            f"{one['score_s']:.1f} ({one['score_cpu_s']:.1f})",
            f"{one['resamples']:,}",
            f"{one['assess_s']:.1f} ({one['assess_cpu_s']:.1f})",
            f"{one['peak_bytes'] / 2**20:,.0f}",
        )
    Console(width=120).print(table)


def main() -> None:
    """Measure, show, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1_000_000, help="of the largest table; a tenth is measured first")
    parser.add_argument("--groups", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    sizes = (chosen.frames // 10, chosen.frames)
    results = [measure(frames, chosen.groups, chosen.resamples, chosen.rounds) for frames in sizes]
    show(results)
    facts = machine()
    path = chosen.out / f"scoring-{re.sub('[^a-z0-9]+', '-', facts['processor'].lower()).strip('-')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    threads = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    path.write_text(json.dumps({"machine": facts, "threads": threads, "results": results}, indent=2) + "\n")
    print(f"kept in {path}")


if __name__ == "__main__":
    main()
