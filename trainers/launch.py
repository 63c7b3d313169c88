"""One training on several processes: Ray Train starts them, here or on a cluster, and each calls `fit`.

They learn what they are part of from `torch.distributed` alone. What they have to say comes back through the run's
folder, which all machines must see: Ray carries no result.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dataengine.cluster import connected
from dataengine.errors import DfxError
from trainers import run as runs
from trainers.checkpoint import write_json
from trainers.config import TrainConfig
from trainers.fit import SAVE_EVERY_S, FitResult, alone, fit
from trainers.progress import EpochRecord, OnStep, StepRecord
from trainers.saving import StoppedEarlyError

STOP_FILE, STEP_FILE, ERROR_FILE, SAID_FILE = ".stop", ".step.json", ".error.json", ".said.json"
"""Notes between the processes and whoever started them; none outlives the training."""

_POLL_S = 0.3
_ERRORS: dict[str, type[DfxError]] = {"StoppedEarlyError": StoppedEarlyError}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What every process is told."""

    settings: dict[str, Any]
    run: str
    resume: bool
    trackers: tuple[str, ...]
    save_every_s: float


def launch(
    config: TrainConfig,
    run: Path,
    *,
    gpus: int,
    workers: int | None = None,
    address: str | None = None,
    resume: bool = False,
    trackers: Sequence[str] = (),
    on_said: Callable[[str], None] | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_step: OnStep | None = None,
    stop: Callable[[], bool] | None = None,
    save_every_s: float = SAVE_EVERY_S,
) -> FitResult:
    """`fit` on `gpus` GPUs, a process each; with 0 on `workers` processes of the CPU.

    `config.batch` is that of all of them together, so that their number changes nothing but the time. On a cluster
    (`address`) all machines must see the stores and the run's folder under the same paths, and have dfx installed.
    The `on_` functions are called here, from another thread, a moment later.

    Raises what `fit` raises, and DfxError where Ray is missing or the processes cannot be had.
    """
    named, run = Path(run), Path(run).absolute()
    count = gpus or workers or 1
    _check(config, gpus=gpus, count=count, address=address)
    job = Job(
        settings=replace(config, device="auto" if gpus else "cpu").as_dict(),
        run=str(run),
        resume=resume,
        trackers=tuple(trackers),
        save_every_s=save_every_s,
    )
    with alone(run):
        _sweep(run)
    watch = _Watch(run, on_said=on_said, on_epoch=on_epoch, on_step=on_step, stop=stop)
    if on_said is not None:
        on_said(f"Ray starts {count} processes, which takes a while")
    with connected("training on several processes", gpus=gpus, address=address):
        try:
            with watch:
                _run(job, count=count, gpus=gpus, here=address is None)
            watch.look()
        except DfxError:
            raise
        except Exception as error:
            if (told := _read(run / ERROR_FILE)) is not None:
                raise _ERRORS.get(told["kind"], DfxError)(told["text"]) from None
            raise DfxError(f"a process of the training ended ({_line(error)}); go on with --resume") from error
        finally:
            _sweep(run)
    return fit(config, named, resume=True)  # which only reads a finished run


def _check(config: TrainConfig, *, gpus: int, count: int, address: str | None) -> None:
    import torch

    there = torch.cuda.device_count()
    if address is None and gpus > there:
        raise DfxError(
            f"--gpus {gpus} asks for more than there is ({there} here); use --gpus {there}, or --address HOST:PORT for "
            "a Ray cluster that has them"
        )
    if config.batch % count:
        near = max(1, round(config.batch / count)) * count
        raise DfxError(f"a batch of {config.batch} cannot be divided among {count} processes; take a batch of {near}")


def _run(job: Job, *, count: int, gpus: int, here: bool) -> None:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    cpus = max(1, (os.cpu_count() or 1) // count) if here else 1
    with tempfile.TemporaryDirectory(prefix="dfx-train-") as scratch:
        trainer = TorchTrainer(
            _work,
            train_loop_config=asdict(job),
            # Objects are gathered through the CPU, gradients through what the device has.
            torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if gpus else "gloo"),
            scaling_config=ScalingConfig(num_workers=count, use_gpu=bool(gpus), resources_per_worker={"CPU": cpus}),
            run_config=RunConfig(
                storage_path=scratch, failure_config=FailureConfig(max_failures=0, controller_failure_limit=0)
            ),
        )
        _beside(trainer.fit)


def _beside(work: Callable[[], object]) -> None:
    """Do it in another thread and wait. In the main one Ray Train would take Ctrl-C for itself, and keep it."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, name="dfx-ray-train", daemon=True)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def _work(told: dict[str, Any]) -> None:
    """What Ray Train calls in every process."""
    import torch
    from ray.train import get_context
    from ray.train.torch import get_device

    job, run = Job(**told), Path(told["run"])
    config = TrainConfig.of(job.settings)
    device = get_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    threads = config.threads or max(1, (os.cpu_count() or 1) // get_context().get_local_world_size())
    first = get_context().get_world_rank() == 0
    said: list[str] = []

    def on_said(line: str) -> None:
        said.append(line)
        write_json(run / SAID_FILE, said)

    shown = -math.inf

    def on_step(record: StepRecord) -> None:
        nonlocal shown
        if time.monotonic() - shown >= _POLL_S:
            shown = time.monotonic()
            write_json(run / STEP_FILE, asdict(record))

    try:
        fit(
            replace(config, device=str(device), threads=threads),
            run,
            resume=job.resume,
            trackers=job.trackers,
            on_said=on_said,
            on_step=on_step,
            stop=(run / STOP_FILE).exists,
            save_every_s=job.save_every_s,
        )
    except DfxError as error:
        if first or not (run / ERROR_FILE).exists():
            write_json(run / ERROR_FILE, {"kind": type(error).__name__, "text": str(error)})
        raise


class _Watch:
    """Reads what the processes say, in a thread, and passes on that they shall stop."""

    def __init__(
        self,
        run: Path,
        *,
        on_said: Callable[[str], None] | None,
        on_epoch: Callable[[EpochRecord], None] | None,
        on_step: OnStep | None,
        stop: Callable[[], bool] | None,
    ) -> None:
        self._run, self._stop = run, stop
        self._on_said, self._on_epoch, self._on_step = on_said, on_epoch, on_step
        self._said, self._step = 0, 0
        self._epochs = len(_lines(run / runs.METRICS_FILE))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="dfx-watch", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._done.wait(_POLL_S):
            if self._stop is not None and self._stop():
                self._run.mkdir(parents=True, exist_ok=True)  # the processes may not have begun
                (self._run / STOP_FILE).touch()
            self.look()

    def look(self) -> None:
        """Pass on what is new."""
        for line in (_read(self._run / SAID_FILE) or [])[self._said :]:
            self._said += 1
            if self._on_said is not None:
                self._on_said(line)
        for line in _lines(self._run / runs.METRICS_FILE)[self._epochs :]:
            self._epochs += 1
            if self._on_epoch is not None:
                self._on_epoch(EpochRecord.of(line))
        record = _read(self._run / STEP_FILE)
        if record is not None and record["step"] > self._step:
            self._step = record["step"]
            if self._on_step is not None:
                self._on_step(StepRecord(**record))


def _sweep(run: Path) -> None:
    for name in (STOP_FILE, STEP_FILE, ERROR_FILE, SAID_FILE):
        (run / name).unlink(missing_ok=True)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1][:200]
