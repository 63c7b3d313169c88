"""One training: from settings and stores to a finished run folder. Each of several processes calls `fit`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from dataengine.errors import StateError
from dataengine.selection import Rows
from trainers import checkpoint, distributed
from trainers import run as runs
from trainers.config import MACHINE, TrainConfig
from trainers.logbook import Logbook, check_trackers
from trainers.metrics import selection_metric
from trainers.models.catalogue import FETCHING, needs_fetching
from trainers.predict import torch_threads
from trainers.problem import problem_of
from trainers.progress import EpochRecord, OnStep
from trainers.saving import Saver
from trainers.taxonomy import Taxonomy
from trainers.training import Training
from trainers.validation import Validation

T = TypeVar("T")

SAVE_EVERY_S = 600.0
"""How often the state is saved within an epoch: what a machine that is taken away costs at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """A finished training."""

    run: Path
    best: EpochRecord
    """The epoch whose weights the run holds."""
    metric: str
    """What selected it."""
    epochs: tuple[EpochRecord, ...]
    num_unreadable: int
    """Samples that could not be read: replaced in training, left out in validation; result.json names them."""


def fit(
    config: TrainConfig,
    run: Path,
    *,
    resume: bool = False,
    trackers: Sequence[str] = (),
    on_said: Callable[[str], None] | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_step: OnStep | None = None,
    stop: Callable[[], bool] | None = None,
    save_every_s: float = SAVE_EVERY_S,
) -> FitResult:
    """Train, keep the epoch that does best on the sources' validation split, and leave a finished run folder.

    After every epoch, every `save_every_s` seconds and once `stop()` is true, `state.pt` holds all that going on takes,
    and the other files are made from it; `resume` goes on from there, on the CPU with the very numbers of a training
    that was never stopped (given the same `threads`). With nothing to go on from, `resume` starts; on a finished run it
    only reads the result. Python's, NumPy's and torch's global generators are seeded. Where `torch.distributed` is
    initialised, all of its processes train together, and the first one writes and calls the `on_` functions.
    `trackers`: see `logbook`. `on_said` is called with what the loss made of settings that were left open, and before
    weights are fetched.

    Raises StateError for a folder that holds a run already (without `resume`) or another one (with it), or that another
    training is writing, DfxError for settings and splits that cannot train a model, and as soon as a loss is not
    finite or explodes; StoppedEarlyError after `stop()`.
    """
    run = Path(run)
    if _to_resume(config, run, resume=resume) and (run / runs.RESULT_FILE).exists():
        return _result(runs.open_run(run, pretraining=True))
    first = distributed.rank() == 0
    check_trackers(trackers)
    problem = problem_of(config)
    with alone(run) if first else nullcontext(), torch_threads(config.threads):
        _to_resume(config, run, resume=resume)  # once more: another training may have ended since
        if first:
            checkpoint.sweep_parts(run)
        state = _saved_state(run, problem.taxonomy, problem.train) if resume else None
        checkpoint.seed_generators(config.seed)
        with ExitStack() as opened:
            if first and on_said is not None and state is None and needs_fetching(config.model, config.weights):
                on_said(FETCHING.format(config.model))
            training = opened.enter_context(Training(config, problem, fresh=state is None))
            history: list[EpochRecord] = []
            if state is not None:
                training.load_state_dict(state["training"])
                history = [EpochRecord.of(line) for line in state["history"]]
            writer = Saver(run, training, history, save_every_s=save_every_s, stop=stop)
            if first:
                if state is None:
                    facts = runs.describe(config, problem.taxonomy, problem.train, problem.val, training.model_facts())
                    checkpoint.write_json(run / runs.CONFIG_FILE, facts)
                elif history:
                    _write_views(run, training, history)
                if on_said is not None:
                    for line in problem.said:
                        on_said(line)
                logbook = opened.enter_context(Logbook(run, config, trackers, step=training.learner.step))
                on_step, on_epoch = _both(logbook.step, on_step), _both(logbook.epoch, on_epoch)
            while len(history) < config.epochs and not _stale(history, config.patience):
                history.append(_epoch(training, history, on_step if first else None, writer.after_update))
                writer.save()
                if first and on_epoch is not None:
                    _write_views(run, training, history)
                    on_epoch(history[-1])
                if len(history) < config.epochs and not _stale(history, config.patience):
                    writer.stop_if_asked()
            return _finish(run, training, history)


def _both(one: Callable[[T], None], other: Callable[[T], None] | None) -> Callable[[T], None]:
    def call(record: T) -> None:
        one(record)
        if other is not None:
            other(record)

    return call


@contextmanager
def alone(run: Path) -> Iterator[None]:
    """Keep every other training out of the folder meanwhile. Raises StateError where one is in it."""
    lock = FileLock(run / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise StateError(f"another training is writing {run}; wait for it, or choose another --name") from None
    except OSError as error:
        raise StateError(f"{run} cannot be written ({error.strerror}); choose another folder") from None
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)  # while it is held: a lock on a removed file is not taken
        lock.release()
        with suppress(OSError):
            run.rmdir()  # where nothing was begun


def _to_resume(config: TrainConfig, run: Path, *, resume: bool) -> bool:
    """Whether the folder holds something to go on from; raises where that is not what was asked for."""
    saved = runs.read_config(run)
    finished = (run / runs.RESULT_FILE).exists()
    if saved is None or not (finished or (run / runs.STATE_FILE).exists()):
        return False
    if not resume:
        if finished:
            raise StateError(f"{run} holds a finished run; choose another --name, or see it with --resume")
        raise StateError(f"{run} holds a run that was stopped; go on with --resume, or choose another --name")
    ours = config.as_dict()
    for name, value in saved["train"].items():
        if name not in MACHINE and ours.get(name) != value:
            raise StateError(
                f"{run} was trained with {name} = {value}, not {ours.get(name)}; resume with its own settings, or "
                "choose another --name"
            )
    return True


def _saved_state(run: Path, taxonomy: Taxonomy, train: Rows) -> dict[str, Any] | None:
    """The last checkpoint, if there is one. Raises StateError where the data are no longer those it came from."""
    if not (run / runs.STATE_FILE).exists():
        return None
    state = checkpoint.read_state(run / runs.STATE_FILE)
    if not state.keys() >= {"taxonomy", "history", "training"}:
        raise StateError(f"{run / runs.STATE_FILE} is no state of a training; delete it to train from the start")
    theirs = Taxonomy(**state["taxonomy"])
    if theirs != taxonomy:
        raise StateError(
            f"{run} was trained for {theirs}, the data are {taxonomy}; choose another --name to train anew"
        )
    config = runs.read_config(run)
    if config is None:
        raise StateError(
            f"{run / runs.STATE_FILE} has no {runs.CONFIG_FILE} beside it; bring that back, or delete the state to "
            "train from the start"
        )
    for source, store in zip(config["sources"], train.stores, strict=True):
        if source["fingerprint"] != store.fingerprint:
            raise StateError(
                f"{store.root} is not the store that {run} was trained on (fingerprint {store.fingerprint[:12]}, not "
                f"{source['fingerprint'][:12]}); bring that one back, or choose another --name to train anew"
            )
    return state


def _epoch(
    training: Training, history: list[EpochRecord], on_step: OnStep | None, after_update: Callable[[], None]
) -> EpochRecord:
    trained = training.epoch(on_step, after_update)
    start = time.perf_counter()
    found = training.validate()
    best = not history or _rank(found) > max((r.val_balanced_accuracy, -r.val_loss) for r in history)
    if best:
        training.keep()
    return EpochRecord(
        epoch=len(history),
        step=training.learner.step,
        train_loss=trained.loss,
        train_terms=trained.terms,
        lr=trained.lr,
        images_per_s=trained.images_per_s,
        input_wait=trained.input_wait,
        val_loss=found.loss,
        val_balanced_accuracy=found.balanced_accuracy,
        val_auc=found.auc,
        best=best,
        seconds=trained.seconds + time.perf_counter() - start,
    )


def _rank(found: Validation) -> tuple[float, float]:
    return found.balanced_accuracy, -found.loss


def _stale(history: list[EpochRecord], patience: int | None) -> bool:
    return patience is not None and bool(history) and len(history) - 1 - _best(history).epoch >= patience


def _best(history: list[EpochRecord]) -> EpochRecord:
    return [record for record in history if record.best][-1]


def _write_views(run: Path, training: Training, history: list[EpochRecord]) -> None:
    """The files that follow from the state: a kill between them and the state is mended by the next resume."""
    checkpoint.write_json_lines(run / runs.METRICS_FILE, [record.as_dict() for record in history])
    if history[-1].best or not (run / runs.WEIGHTS_FILE).exists():
        facts = {
            "model": training.config.model,
            "taxonomy": training.problem.taxonomy.as_dict(),
            "epoch": _best(history).epoch,
        }
        checkpoint.write_weights(run / runs.WEIGHTS_FILE, training.best, facts)


def _finish(run: Path, training: Training, history: list[EpochRecord]) -> FitResult:
    """Predict the validation split with the weights that were kept, and mark the run finished."""
    files, best = training.finish(run), _best(history)
    if distributed.rank() == 0:
        checkpoint.write_json(
            run / runs.RESULT_FILE,
            {
                "finished": runs.now(),
                "metric": selection_metric(training.config.task),
                "best_epoch": best.epoch,
                "best": best.as_dict(),
                "num_epochs": len(history),
                "stopped_early": len(history) < training.config.epochs,
                "seconds": sum(record.seconds for record in history),
                "processes": distributed.world_size(),
                "backend": training.stream.backend,
                "validation": files,
                "unreadable": [{"key": key, "reason": reason} for key, reason in sorted(training.bad.items())],
            },
        )
    distributed.gathered(None)  # nobody reads the result before it is there
    return _result(runs.open_run(run, pretraining=True))


def _result(run: runs.Run) -> FitResult:
    try:
        history = tuple(EpochRecord.of(line) for line in run.metrics())
        best = history[run.result["best_epoch"]]
    except (TypeError, IndexError):
        raise runs.damaged(run.path / runs.METRICS_FILE) from None
    return FitResult(
        run=run.path,
        best=best,
        metric=run.result["metric"],
        epochs=history,
        num_unreadable=len(run.result["unreadable"]),
    )
