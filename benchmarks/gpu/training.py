"""Measure whether a training on a GPU waits for its input: EfficientNet-B0 and the five backbones that `docs/models.md`
names, in bfloat16 and channels-last, with and without torch.compile, and one with the forensic augmentation.

python -m benchmarks.gpu.training [--models NAMES] [--batch 64] [--steps 20] [--rounds 5] [--size PX] [--device cuda]

On a generated store of 256 px JPEGs, each network at its own input size unless `--size` gives another, with drawn
weights. `trainers.profile` does the timing: in every round, in turns, the loader by itself, the training's step
(forward, cross-entropy, backward, AdamW) on batches that lie on the device, and the step fed by the loader; medians of
the rounds count. Two figures say what the input costs, as shares of the fed step:

- host wait: how long `next(loader)` took. A GPU may be at work meanwhile, for the host runs up to a step ahead of it.
- idle: by how much the fed step is longer than the same step on cached batches: what the GPU lost to the input, by
  having nothing to do or by decoding.

The device's memory in use is an upper bound: a measurement opens two loaders, and DALI keeps what earlier rows took
(`benchmarks.gpu.sharing` has a training's own).

The goal is 2 % for each. Where either is above it, the row also holds the loader's time by stages and which operations
took the CPU's time in steps of a real epoch, with the places where the host waited for the GPU (not for a compiled
network, whose input is that of the plain one). `--device cpu --models
test_resnet --size 32 --batch 8 --images 64 --steps 2 --rounds 1` tries the script.
"""

from __future__ import annotations

import gc
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, schedule
from torch.profiler import profile as recorded

from benchmarks.gpu.record import Record, Row, arguments, check_device, reason, show
from benchmarks.loader import make_rows
from trainers.config import TrainConfig
from trainers.problem import Methods
from trainers.profile.measure import profile
from trainers.profile.verdict import verdict
from trainers.progress import StepRecord
from trainers.training import Training

FIVE = (
    "tf_efficientnetv2_b0",
    "resnet50",
    "convnext_tiny",
    "swinv2_small_window8_256",
    "vit_base_patch16_clip_224.openai",
)
MODELS = ("efficientnet_b0", *FIVE)
LONGEST_TO_COMPILE = FIVE[3]

GOAL = 0.02
"""Of a step: the most that its input may cost."""

LIMIT_S = 330.0
"""A last row that compiles its network may take two minutes more."""

ENDLESS = "balanced:length=10000000"
"""An epoch that no measurement comes to the end of, however few images there are: a real store has many."""

_BEFORE, _WARM, _TRACED = 3, 1, 6  # steps of a trace: left out, recorded for nothing, recorded
_TOP = 15  # operations that a trace names


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one row measures."""

    model: str
    augment: str = "crop"
    compile: bool = False


def cases(models: Sequence[str]) -> list[Case]:
    """The most important first; a network that takes minutes to compile comes last."""
    compiled = sorted(models, key=lambda model: model == LONGEST_TO_COMPILE)
    return [
        *(Case(model=model) for model in models),
        Case(model=models[0], augment="forensic"),
        *(Case(model=model, compile=True) for model in compiled),
    ]


def config_of(
    case: Case, store: str, *, batch: int, device: str, size: int | None = None, threads: int | None = None
) -> TrainConfig:
    """The training that a row measures."""
    return TrainConfig(
        data=(store,),
        task="detection",
        policy=ENDLESS,
        weights="none",
        size=size,
        batch=batch,
        lr=1e-4,
        amp="bf16",
        channels_last=True,
        device=device,
        threads=threads,
        **asdict(case),
    )


def measure(config: TrainConfig, *, steps: int, rounds: int) -> Row:
    """A row: images a second, what the input costs, memory."""
    cuda = config.device.startswith("cuda")
    began, held = time.perf_counter(), 0

    def after_round(name: str, done: int, of: int) -> None:
        nonlocal held
        if cuda:
            free, whole = torch.cuda.mem_get_info(config.device)
            held = max(held, whole - free)

    if cuda:
        torch.cuda.init()
        torch.cuda.reset_peak_memory_stats(config.device)
    found = profile(config, steps=steps, rounds=rounds, on_round=after_round)
    step, cached, loader = found.step.ms, found.cached_step.ms, found.loader.ms
    row: Row = {
        "model": config.model,
        "augment": config.augment,
        "compile": config.compile,
        "size": found.size,
        "batch": found.batch,
        "backend": found.backend,
        "threads": found.threads,
        "images_per_s": 1000 * found.batch / step,
        "images_per_s_cached": 1000 * found.batch / cached,
        "images_per_s_of_loader": 1000 * found.batch / loader,
        "step_ms": asdict(found.step),
        "cached_step_ms": asdict(found.cached_step),
        "host_wait": found.wait.ms / step,
        "idle": max(0.0, 1 - cached / step),
        "peak_torch_bytes": torch.cuda.max_memory_allocated(config.device) if cuda else None,
        "device_bytes": held if cuda else None,
        "seconds": time.perf_counter() - began,
    }
    if max(row["host_wait"], row["idle"]) > GOAL:
        row["stages_ms"], row["verdict"] = found.stages, verdict(found).sentence
    return row


def trace(config: TrainConfig) -> dict[str, Any]:
    """What the CPU does in a few steps of a real epoch: milliseconds a step, by operation, with how often a step
    calls it; and where in the code the host waited for the GPU, as often as it did."""
    cuda = config.device.startswith("cuda")
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    steps, top = 0, []

    def keep(profiler: recorded) -> None:
        found = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
        for event in found[:_TOP]:
            ms, calls = event.self_cpu_time_total / 1000 / _TRACED, event.count / _TRACED
            top.append({"operation": event.key, "cpu_ms": round(ms, 4), "calls": calls})

    with (
        warnings.catch_warnings(record=True) as heard,
        Training(config, Methods(config, validated=False), fresh=False) as training,
        recorded(
            activities=activities,
            schedule=schedule(wait=_BEFORE, warmup=_WARM, active=_TRACED, repeat=1),
            on_trace_ready=keep,
        ) as profiler,
    ):
        warnings.simplefilter("always")

        def after_step(record: StepRecord) -> None:
            nonlocal steps
            steps += 1
            if cuda and steps == _BEFORE:
                torch.cuda.set_sync_debug_mode("warn")
            if steps == _BEFORE + _WARM + _TRACED:
                raise _TracedError
            profiler.step()

        try:
            training.epoch(after_step)
        except _TracedError:
            pass
        finally:
            if cuda:
                torch.cuda.set_sync_debug_mode("default")
    waits = Counter(f"{one.filename}:{one.lineno}" for one in heard if "synchronizing CUDA" in str(one.message))
    return {"top": top, "waits_for_the_gpu": dict(waits)}


class _TracedError(Exception):
    """Enough steps were recorded."""


def add_row(record: Record, config: TrainConfig, *, steps: int, rounds: int) -> None:
    """Measure a row and, where its input costs more than it should, what its steps are made of.

    A compiled network is not traced: it would be compiled once more, and its input is that of the plain one.
    """
    what = {"model": config.model, "augment": config.augment, "compile": config.compile}
    if record.late():
        record.miss("the time was up", **what)
        return
    try:
        row = measure(config, steps=steps, rounds=rounds)
        if "verdict" in row and not config.compile:
            row["trace"] = trace(config)
    except Exception as error:  # out of memory, a network that does not compile: the others go on
        record.miss(reason(error), **what)
    else:
        record.add(**row)
    finally:
        torch.compiler.reset()
        gc.collect()
        if config.device.startswith("cuda"):
            torch.cuda.empty_cache()


def found_in(rows: Sequence[Row]) -> dict[str, Any]:
    """What the rows come to."""
    return {
        "goal": GOAL,
        **{f"most_{name}": max((row[name] for row in rows), default=None) for name in ("host_wait", "idle")},
        **{
            f"{name}_above_goal": [
                f"{row['model']}, {row['augment']}{', compiled' if row['compile'] else ''}"
                for row in rows
                if row[name] > GOAL
            ]
            for name in ("host_wait", "idle")
        },
    }


COLUMNS = {
    "model": "model",
    "augment": "augment",
    "compile": "compiled",
    "size": "px",
    "images_per_s": "images/s",
    "images_per_s_cached": "cached",
    "images_per_s_of_loader": "loader",
    "host_wait": "host wait",
    "idle": "idle",
    "peak_torch_bytes": "torch bytes",
    "device_bytes": "device bytes",
}


def main() -> None:
    """Make the store, measure, show, keep."""
    parser = arguments(__doc__)
    parser.set_defaults(limit=LIMIT_S)
    parser.add_argument("--models", default=",".join(MODELS), help="by comma (default: B0 and the five)")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20, help="of a round (default: 20)")
    parser.add_argument("--rounds", type=int, default=5, help="in turns, whose medians count (default: 5)")
    parser.add_argument("--images", type=int, default=2048, help="of the store (default: 2048)")
    parser.add_argument("--size", type=int, help="side of the input in pixels (default: each network's own)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    chosen = parser.parse_args()
    check_device(parser, chosen.device)
    names = ("batch", "steps", "rounds", "images", "size", "threads")
    settings = {name: getattr(chosen, name) for name in names}
    record = Record("training", chosen.device, settings, limit_s=chosen.limit, out=chosen.out)
    with tempfile.TemporaryDirectory() as folder:
        make_rows(Path(folder), chosen.images)
        store = str(Path(folder) / "store")
        for case in cases(chosen.models.split(",")):
            config = config_of(
                case, store, batch=chosen.batch, device=chosen.device, size=chosen.size, threads=chosen.threads
            )
            add_row(record, config, steps=chosen.steps, rounds=chosen.rounds)
    show(record.rows, COLUMNS, title="steps fed by the loader, on cached batches, and the loader alone")
    record.end(**found_in(record.rows))


if __name__ == "__main__":
    main()
