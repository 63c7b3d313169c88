"""Measure trainings that share one GPU: how many images a second all of them see together, and what each one takes.

python -m benchmarks.gpu.sharing [--models NAMES] [--counts 1,2,4,8] [--batch 64] [--seconds 6] [--device cuda]

Each training is a process of its own, as a trial of `dfx tune` is, with its own loader on one generated store of 256 px
JPEGs and its part of the CPUs as `tune_spaces.resources.divide` gives it (weights drawn, bfloat16, channels-last).
When all of them have warmed up they go on together, and the steps of the next `--seconds` count, at least one of
each. Nothing is done to the GPU: where no MPS server runs, processes take turns on it.

Sharing pays as long as each further training adds a tenth to the total: `found` says up to how many that is.
`--device cpu --models test_resnet --size 32 --batch 8 --images 64 --counts 1,2 --seconds 1` tries the script.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from itertools import pairwise
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any

import torch

from benchmarks.gpu.record import Record, Row, arguments, check_device, reason, show
from benchmarks.gpu.training import Case, config_of
from benchmarks.loader import make_rows
from dataengine.backends.slices import usable_cpus
from dataengine.processes import begin_worker
from trainers.config import TrainConfig
from trainers.predict import torch_threads
from trainers.problem import Methods
from trainers.progress import StepRecord
from trainers.training import Training
from tune_spaces.resources import Node, divide

MODELS = ("tf_efficientnetv2_b0", "resnet50")
COUNTS = (1, 2, 4, 8)

PAYS = 0.1
"""Of the total so far: what a further training has to add."""

WARM_STEPS = 10
"""Of each training before the window: its loader's queue is full, its memory is taken."""

_PATIENCE_S = 120.0  # for the others to start and to warm up

_meeting: Barrier  # of this process and the others; what a task is sent cannot hold one


def measure(config: TrainConfig, count: int, *, seconds: float) -> Row:
    """A row: `count` trainings at once. Raises what the first of them to fail raised."""
    threads = divide([Node(cpus=usable_cpus(), gpus=1)], gpus=1, gpus_per_trial=1 / count).cpus
    settings = {**config.as_dict(), "threads": threads}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _begin, (context.Barrier(count),)) as pool:
        running = [pool.submit(_train, settings, seconds) for _ in range(count)]
        errors = [error for one in running if (error := one.exception()) is not None]
        if errors:  # that of the one that failed before those of them that it left waiting
            raise min(errors, key=lambda error: isinstance(error, BrokenBarrierError))
        found = [one.result() for one in running]
    each = [one["images_per_s"] for one in found]
    return {
        "model": config.model,
        "trainings": count,
        "threads": threads,
        "batch": config.batch,
        "images_per_s": sum(each),
        "least_images_per_s": min(each),
        "images_per_s_of_each": each,
        "most_input_wait": max(one["input_wait"] for one in found),
        "most_peak_torch_bytes": max(one["peak_torch_bytes"] for one in found),
        "peak_torch_bytes_of_each": [one["peak_torch_bytes"] for one in found],
        "device_bytes": max(one["device_bytes"] for one in found),
    }


def _begin(meeting: Barrier) -> None:
    global _meeting
    _meeting = meeting
    begin_worker()


def _train(settings: dict[str, Any], seconds: float) -> dict[str, Any]:
    """One training: its images a second while all train, and its memory at the end of that."""
    config = TrainConfig.of(settings)
    try:
        with torch_threads(config.threads), Training(config, Methods(config, validated=False), fresh=False) as training:
            window = _Window(training, seconds)
            with suppress(_WindowOverError):
                training.epoch(window.after_step)
            held = _held(training.device)
            _meeting.wait(_PATIENCE_S)  # nobody lets go of memory before all have looked
    except BaseException:
        _meeting.abort()
        raise
    return {
        "images_per_s": window.num_steps * config.batch / window.lasted_s,
        "input_wait": window.waited_s / window.lasted_s,
        **held,
    }


class _WindowOverError(Exception):
    """The time in which steps count is over."""


class _Window:
    """Counts a training's steps in the seconds after all trainings have warmed up."""

    def __init__(self, training: Training, seconds: float) -> None:
        self._training, self._seconds = training, seconds
        self._warmed = 0
        self._began = self._waited_before = 0.0
        self.num_steps = 0
        self.lasted_s = 0.0
        """To the end of the last step that counts."""
        self.waited_s = 0.0
        """For the loader, of that."""

    def after_step(self, record: StepRecord) -> None:
        """Called for each step in turn, when its loss is known: that is while the next one is under way."""
        self._warmed += 1
        if self._warmed < WARM_STEPS:
            return
        if self._warmed == WARM_STEPS:
            _meeting.wait(_PATIENCE_S)
            self._began, self._waited_before = time.monotonic(), self._training.stream.wait_s
            return
        if self._warmed == WARM_STEPS + 1:  # it was done while the others were waited for
            return
        lasted_s = time.monotonic() - self._began
        if self.num_steps and lasted_s > self._seconds:
            raise _WindowOverError
        self.num_steps, self.lasted_s = self.num_steps + 1, lasted_s
        self.waited_s = self._training.stream.wait_s - self._waited_before


def _held(device: torch.device) -> dict[str, int]:
    """The most that torch held for this process, and what all processes hold of the device; 0 on a CPU."""
    if device.type != "cuda":
        return {"peak_torch_bytes": 0, "device_bytes": 0}
    free, whole = torch.cuda.mem_get_info(device)
    return {"peak_torch_bytes": torch.cuda.max_memory_allocated(device), "device_bytes": whole - free}


def pays_up_to(totals: Mapping[int, float]) -> int:
    """Up to how many trainings each further one adds at least PAYS to the total of images a second, which is given for
    some numbers of them; between two of these all add alike."""
    numbers = sorted(totals)
    for fewer, more in pairwise(numbers):
        if totals[more] / totals[fewer] - 1 < PAYS * (more - fewer):
            return fewer
    return numbers[-1]


def found_in(rows: Sequence[Row]) -> dict[str, Any]:
    """What the rows come to, by model; what a trial's part of a GPU could be is that of the model it pays least for."""
    totals: dict[str, dict[int, float]] = defaultdict(dict)
    for row in rows:
        totals[row["model"]][row["trainings"]] = row["images_per_s"]
    most = max((row["trainings"] for row in rows), default=0)
    best = {model: pays_up_to(found) for model, found in totals.items() if len(found) > 1}
    # Of a model that still paid where the time was up nobody knows how far it goes on paying.
    best = {model: number for model, number in best.items() if number < max(totals[model]) or number == most}
    return {"sharing_pays_up_to": best, "gpus_per_trial": 1 / min(best.values()) if best else None}


COLUMNS = {
    "model": "model",
    "trainings": "trainings",
    "threads": "threads each",
    "images_per_s": "images/s in all",
    "least_images_per_s": "of the slowest",
    "most_input_wait": "longest wait",
    "most_peak_torch_bytes": "torch bytes each",
    "device_bytes": "device bytes",
}


def add_row(record: Record, config: TrainConfig, count: int, *, seconds: float) -> None:
    """Measure a row, or record why not."""
    what = {"model": config.model, "trainings": count}
    if record.late():
        record.miss("the time was up", **what)
        return
    try:
        row = measure(config, count, seconds=seconds)
    except Exception as error:  # so many do not fit: others may
        record.miss(reason(error), **what)
    else:
        record.add(**row)


def main() -> None:
    """Make the store, measure, show, keep."""
    parser = arguments(__doc__)
    parser.add_argument("--models", default=",".join(MODELS), help="by comma")
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)), help="trainings at once, by comma")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=6.0, help="in which steps count (default: 6)")
    parser.add_argument("--images", type=int, default=2048, help="of the store (default: 2048)")
    parser.add_argument("--size", type=int, help="side of the input in pixels (default: each network's own)")
    chosen = parser.parse_args()
    check_device(parser, chosen.device)
    names = ("counts", "batch", "seconds", "images", "size")
    settings = {name: getattr(chosen, name) for name in names}
    record = Record("sharing", chosen.device, settings, limit_s=chosen.limit, out=chosen.out)
    with tempfile.TemporaryDirectory() as folder:
        make_rows(Path(folder), chosen.images)
        for model in chosen.models.split(","):
            case, store = Case(model=model), str(Path(folder) / "store")
            config = config_of(case, store, batch=chosen.batch, device=chosen.device, size=chosen.size)
            for count in map(int, chosen.counts.split(",")):
                add_row(record, config, count, seconds=chosen.seconds)
    show(record.rows, COLUMNS, title="trainings that share a GPU")
    record.end(**found_in(record.rows))


if __name__ == "__main__":
    main()
