"""One training, on one device: from settings and stores to a finished run folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from dataengine.errors import StateError
from dataengine.store import Rows, select
from trainers import checkpoint
from trainers import run as runs
from trainers.config import MACHINE, TrainConfig
from trainers.metrics import selection_metric
from trainers.predict import prediction_path, torch_threads, write_predictions
from trainers.taxonomy import Taxonomy, check_validation, taxonomy_of
from trainers.training import OnStep, StepRecord, Training, Validation

__all__ = ["EpochRecord", "FitResult", "StepRecord", "fit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """A line of metrics.jsonl."""

    epoch: int
    """From 0."""
    step: int
    """Steps taken since the start."""
    train_loss: float
    """Mean over the epoch's steps, as are the terms, before their weights."""
    train_ce: float
    train_supcon: float | None
    """None where the loss has no such term; then it is left out of the file."""
    lr: float
    """At the epoch's last step."""
    images_per_s: float
    """Training samples a second; views do not count."""
    input_wait: float
    """Share of the training time spent waiting for the loader, in [0, 1]."""
    val_loss: float
    """Cross-entropy of the source's validation frames."""
    val_balanced_accuracy: float
    """Of its clips: what selects the epoch."""
    val_auc: float | None
    """Of its clips, as a detector."""
    best: bool
    """Whether it was the best so far: of equal balanced accuracies, the one of lower loss."""
    seconds: float
    """Training and validation."""

    def as_dict(self) -> dict[str, Any]:
        """JSON values under stable keys."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {k: v for k, v in values.items() if not (k == "train_supcon" and v is None)}

    @classmethod
    def of(cls, values: dict[str, Any]) -> EpochRecord:
        """The inverse of `as_dict`."""
        return cls(**{"train_supcon": None, **values})


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
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_step: OnStep | None = None,
) -> FitResult:
    """Train, keep the epoch that does best on the sources' validation split, and leave a finished run folder.

    After every epoch `state.pt` holds all that going on takes, and the other files are made from it; `resume` goes on
    from there, on the CPU with the very numbers of a training that was never stopped (given the same `threads`). With
    nothing to go on from, `resume` starts; on a finished run it only reads the result. Python's, NumPy's and torch's
    global generators are seeded.

    Raises StateError for a folder that holds a run already (without `resume`) or another one (with it), or that another
    training is writing, DfxError for settings and splits that cannot train a model, and as soon as a loss is not
    finite.
    """
    run = Path(run)
    if _to_resume(config, run, resume=resume) and (run / runs.RESULT_FILE).exists():
        return _result(runs.open_run(run))
    train, val = select(config.data, split="train"), select(config.data, split="val")
    taxonomy = taxonomy_of(config.task, train)
    check_validation(taxonomy, val)
    with _alone(run), torch_threads(config.threads):
        _to_resume(config, run, resume=resume)  # once more: another training may have ended since
        checkpoint.sweep_parts(run)
        state = _saved_state(run, taxonomy, train) if resume else None
        checkpoint.seed_generators(config.seed)
        with Training(config, taxonomy, train, val, fresh=state is None) as training:
            if state is None:
                facts = runs.describe(config, taxonomy, train, val, training.model_facts())
                checkpoint.write_json(run / runs.CONFIG_FILE, facts)
                history: list[EpochRecord] = []
            else:
                training.load_state_dict(state["training"])
                history = [EpochRecord.of(line) for line in state["history"]]
                _write_views(run, training, history)
            while len(history) < config.epochs and not _stale(history, config.patience):
                history.append(_epoch(training, history, on_step))
                lines = [record.as_dict() for record in history]
                checkpoint.write_state(
                    run / runs.STATE_FILE,
                    {"taxonomy": taxonomy.as_dict(), "history": lines, "training": training.state_dict()},
                )
                _write_views(run, training, history)
                if on_epoch is not None:
                    on_epoch(history[-1])
            return _finish(run, training, val, history)


@contextmanager
def _alone(run: Path) -> Iterator[None]:
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
    config = runs.read_config(run) or {}
    for source, store in zip(config["sources"], train.stores, strict=True):
        if source["fingerprint"] != store.fingerprint:
            raise StateError(
                f"{store.root} is not the store that {run} was trained on (fingerprint {store.fingerprint[:12]}, not "
                f"{source['fingerprint'][:12]}); bring that one back, or choose another --name to train anew"
            )
    return state


def _epoch(training: Training, history: list[EpochRecord], on_step: OnStep | None) -> EpochRecord:
    start = time.perf_counter()
    trained = training.epoch(on_step)
    found = training.validate()
    best = not history or _rank(found) > max((r.val_balanced_accuracy, -r.val_loss) for r in history)
    if best:
        training.keep()
    return EpochRecord(
        epoch=len(history),
        step=training.step,
        train_loss=trained.loss,
        train_ce=trained.terms["ce"],
        train_supcon=trained.terms.get("supcon"),
        lr=trained.lr,
        images_per_s=trained.images_per_s,
        input_wait=trained.input_wait,
        val_loss=found.loss,
        val_balanced_accuracy=found.balanced_accuracy,
        val_auc=found.auc,
        best=best,
        seconds=time.perf_counter() - start,
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
            "taxonomy": training.taxonomy.as_dict(),
            "epoch": _best(history).epoch,
        }
        checkpoint.write_weights(run / runs.WEIGHTS_FILE, training.best, facts)


def _finish(run: Path, training: Training, val: Rows, history: list[EpochRecord]) -> FitResult:
    """Predict the validation split with the weights that were kept, and mark the run finished."""
    training.recall()
    table = training.predict()
    files = [prediction_path(run, store, ref, None) for store, ref in zip(val.stores, val.refs, strict=True)]
    for i, (store, ref) in enumerate(zip(val.stores, val.refs, strict=True)):
        write_predictions(run, training.taxonomy, table.filter(pa.array(val.column("store") == i)), store, ref)
    best = _best(history)
    checkpoint.write_json(
        run / runs.RESULT_FILE,
        {
            "finished": runs.now(),
            "metric": selection_metric(training.taxonomy.task),
            "best_epoch": best.epoch,
            "best": best.as_dict(),
            "num_epochs": len(history),
            "stopped_early": len(history) < training.config.epochs,
            "seconds": sum(record.seconds for record in history),
            "backend": training.backend,
            "validation": [str(file.relative_to(run).as_posix()) for file in files],
            "unreadable": [{"key": key, "reason": reason} for key, reason in sorted(training.unreadable.items())],
        },
    )
    return _result(runs.open_run(run))


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
