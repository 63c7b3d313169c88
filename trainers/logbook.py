"""The numbers of a training as it goes: to TensorBoard's files in the run folder, and to the trackers asked for."""

from __future__ import annotations

import importlib
import json
import random
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from dataengine.errors import DfxError, StateError, unknown_name
from trainers.config import TrainConfig
from trainers.progress import EpochRecord, StepRecord
from trainers.trackers.mlflow import Mlflow
from trainers.trackers.tensorboard import TensorBoard
from trainers.trackers.wandb import Wandb

IDS_FILE = "trackers.json"
"""Which run of each tracker a run folder belongs to."""

STEP_EVERY_S = 1.0
"""Least time between two steps that are logged. A scalar costs some 30 microseconds and a step has six or so:
in a step of a few milliseconds that is one twentieth, and a curve cannot show as many points."""


class Tracker(Protocol):
    """What takes the numbers."""

    def log(self, values: Mapping[str, float], step: int) -> None: ...

    def close(self, *, failed: bool) -> None: ...


TRACKERS: dict[str, type[Mlflow] | type[Wandb]] = {"mlflow": Mlflow, "wandb": Wandb}

_MENDS = {
    "tensorboard": "free space or choose another folder",
    "mlflow": "check MLFLOW_TRACKING_URI, or train without mlflow",
    "wandb": "see `wandb login`, set WANDB_MODE=offline, or train without wandb",
}


def check_trackers(names: Sequence[str]) -> None:
    """Raise DfxError for a tracker that there is none of or whose package is not installed."""
    for name in names:
        if name not in TRACKERS:
            raise unknown_name("tracker", name, TRACKERS)
        try:
            package = importlib.import_module(name)
        except ImportError:
            package = None
        if getattr(package, "__file__", None) is None:  # wandb leaves a folder of its name, which imports as empty
            raise DfxError(f"the tracker {name} is not installed; run `pip install -e '.[{name}]'` in dfx's folder")


class Logbook:
    """The records of one process's training, a context: its trackers are open within.

    A step becomes `step/loss`, `step/lr`, `step/images_per_s`, `step/input_wait` and `step/{term}` of each term; an
    epoch `epoch/{name}` of each number in metrics.jsonl. A tracker that breaks is reported once, by `warnings.warn`,
    and gets no more records: the training goes on. Python's global generator, which trackers' packages draw from, is
    left as it was, so that a training has the same numbers with any of them.
    """

    def __init__(self, run: Path, config: TrainConfig, trackers: Sequence[str] = (), *, step: int = 0) -> None:
        """`step`: where a resumed training goes on; it stays in the trackers' runs that it began in.

        Raises DfxError as `check_trackers` does. Entering raises DfxError where a tracker cannot start, StateError for
        a damaged `trackers.json`.
        """
        with _generator_untouched():
            check_trackers(trackers)
        self._run, self._settings, self._start = Path(run), config.as_dict(), step
        self._names = tuple(dict.fromkeys(trackers))
        self._open: dict[str, Tracker] = {}
        self._waiting: StepRecord | None = None
        self._logged = float("-inf")

    def __enter__(self) -> Self:
        try:
            with _generator_untouched():
                self._begin("tensorboard", lambda: TensorBoard(self._run, self._settings, step=self._start))
                self._begin_trackers()
        except BaseException:
            self._close(failed=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._log_waiting()
        self._close(failed=kind is not None)

    def step(self, record: StepRecord) -> None:
        """Log the first step, then at most one every `STEP_EVERY_S`, and the last one of an epoch or of all."""
        self._waiting = record
        if time.monotonic() - self._logged >= STEP_EVERY_S:
            self._log_waiting()

    def epoch(self, record: EpochRecord) -> None:
        """Log an epoch."""
        self._log_waiting()
        values = record.as_dict()
        del values["epoch"], values["step"]
        known = {f"epoch/{name}": float(value) for name, value in values.items() if value is not None}
        self._each(lambda tracker: tracker.log(known, record.step))

    def _log_waiting(self) -> None:
        record, self._waiting = self._waiting, None
        if record is None:
            return
        rates = {"lr": record.lr, "images_per_s": record.images_per_s, "input_wait": record.input_wait}
        values = {f"step/{name}": value for name, value in {"loss": record.loss, **record.terms, **rates}.items()}
        self._each(lambda tracker: tracker.log(values, record.step))
        self._logged = time.monotonic()

    def _begin_trackers(self) -> None:
        from trainers.checkpoint import write_json  # imports torch

        file = self._run / IDS_FILE
        if not self._start:  # a training from the start is none that was begun here before
            file.unlink(missing_ok=True)
        ids = _read_ids(file)
        for name in self._names:
            tracker = self._begin(name, partial(TRACKERS[name], self._run, self._settings, ids.get(name)))
            ids[name] = tracker.id
            write_json(file, ids)

    def _begin(self, name: str, begin: Callable[[], Any]) -> Any:
        try:
            self._open[name] = begin()
        except Exception as error:
            raise DfxError(f"{name} cannot start ({_reason(error)}); {_MENDS[name]}") from None
        return self._open[name]

    def _close(self, *, failed: bool) -> None:
        self._each(lambda tracker: tracker.close(failed=failed))
        self._open.clear()

    def _each(self, act: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._open.items()):
            try:
                with _generator_untouched():
                    act(tracker)
            except Exception as error:
                del self._open[name]
                said = f"{name} has failed and gets no more records of this training ({_reason(error)})"
                warnings.warn(said, stacklevel=4)


@contextmanager
def _generator_untouched() -> Iterator[None]:
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def _read_ids(file: Path) -> dict[str, str]:
    try:
        ids = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        ids = None
    if not isinstance(ids, dict) or not all(isinstance(value, str) for value in ids.values()):
        raise StateError(f"{file} is damaged; delete it to go on in new runs of the trackers")
    return ids


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
