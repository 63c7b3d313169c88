"""A sweep's work on Ray Tune: Tune places trials on GPUs and cores, runs them at once and stops the poor ones early.

One Tuner runs the trials of all sources. With one Tuner a source, GPUs would stand idle while the last trials of each
search end. What must not mix is kept apart here instead: every source has its own search (`work`) and its own
early stopping (`hooks.by_source`).
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dataengine.errors import DfxError
from tune_spaces.hooks import Board, Outcome, Report, by_source, listener, searcher
from tune_spaces.records import Trial
from tune_spaces.resources import Node, Share, divide
from tune_spaces.work import Work

OBJECT_STORE_BYTES = 80 * 2**20
"""Near Ray's smallest: dfx puts no tensors there, and Ray's default is 30 % of the memory."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_THRESHOLD_S": "60",
}
"""Ray's switches while a sweep runs: no telemetry, no warnings, no log files of its own, the working folder left
alone, Ctrl-C ends the sweep at once (its records are whole at any time)."""

RunTrial = Callable[[Trial, Share, Report], Outcome]
"""What runs in a worker process, once a trial."""


@contextmanager
def session(*, gpus: int | None, gpus_per_trial: float, address: str | None = None) -> Iterator[Share]:
    """Start Ray here, or join the cluster at `address`, and yield what each trial gets of it.

    Everything that was started is ended at exit. A Ray that already runs in this process is used and left running.
    Raises DfxError where Ray is missing or cannot be reached, or more GPUs are asked for than there are.
    """
    try:
        with _environment(QUIET):
            import ray
            import ray.tune
    except ImportError as error:
        raise DfxError(f"a sweep runs on Ray, which is not here ({error}); pip install 'ray[tune]' optuna") from None
    with _environment(QUIET), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        joined = ray.is_initialized()
        if not joined:
            _start(gpus=gpus, gpus_per_trial=gpus_per_trial, address=address)
        levels = {name: logging.getLogger(name).level for name in ("ray", "ray.tune", "ray.train")}
        for name in levels:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            nodes = [Node(cpus=int(r.get("CPU", 0)), gpus=int(r.get("GPU", 0))) for r in alive if r.get("CPU")]
            yield divide(nodes, gpus=gpus, gpus_per_trial=gpus_per_trial)
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
            if not joined:
                ray.shutdown()


def _start(*, gpus: int | None, gpus_per_trial: float, address: str | None) -> None:
    import ray

    # A worker finds these packages also where they run from a checkout; a working_dir would be uploaded instead.
    root = str(Path(__file__).resolve().parents[1])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    # A trial that is stopped early may need a while to close its loader before its process takes the next one.
    variables = {"PYTHONPATH": os.pathsep.join(paths), "TUNE_FUNCTION_THREAD_TIMEOUT_S": "60"}
    common: dict[str, Any] = {
        "runtime_env": {"env_vars": variables},
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
    }
    if address is not None:
        try:
            _knock(address)
            ray.init(address=address, **common)
        except (OSError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise DfxError(
                f"--address {address}: no Ray cluster answers there ({reason}); start one with `ray start --head`, or "
                "leave --address out to use this machine"
            ) from None
        return
    import torch

    num_gpus = torch.cuda.device_count()
    here = Node(cpus=os.cpu_count() or 1, gpus=num_gpus)
    divide([here], gpus=gpus, gpus_per_trial=gpus_per_trial)  # refuses before anything is started
    ray.init(
        address="local",
        num_gpus=num_gpus if gpus is None else gpus,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        **common,
    )


def _knock(address: str) -> None:
    """Raise OSError where nothing listens: Ray itself would try for minutes, and fill the screen meanwhile."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def run(
    work: Work,
    folder: Path,
    run_trial: RunTrial,
    *,
    share: Share,
    epochs: int,
    halving: bool,
    on_trial: Callable[[Work], None] | None = None,
) -> None:
    """Run all trials of `work` in the Ray session at hand, writing each one's record under `folder/trials`.

    A trial that raises is recorded as failed, and the others go on. `on_trial` is called whenever a trial starts,
    ends or has finished an epoch. `folder` must be absolute, and on a cluster all its machines must see it.
    """
    from ray import tune

    board = Board(work, folder, on_trial)
    scratch = folder / ".tune"
    shutil.rmtree(scratch, ignore_errors=True)

    def trainable(config: dict[str, Any]) -> None:
        try:
            outcome = run_trial(config["trial"], share, _report)
        except Exception as error:
            # An error's traceback reaches the driver as text: Tune keeps the error itself in files that come later.
            tune.report({"error": error_line(error), "traceback": traceback.format_exc()})
            if not isinstance(error, DfxError):
                raise  # the process may be in a bad state (a GPU's error sticks), so Tune must not use it again
        else:
            tune.report({"outcome": outcome})

    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": share.cpus, "gpu": share.gpus}),
        tune_config=tune.TuneConfig(
            num_samples=-1,
            search_alg=searcher(board),
            scheduler=by_source(board, epochs) if halving else None,
            max_concurrent_trials=share.at_once,
            # A worker has torch and timm imported already when it takes its next trial.
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(scratch),
            verbose=0,
            callbacks=[listener(board)],
            failure_config=tune.FailureConfig(max_failures=0),
        ),
    )
    try:
        tuner.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _report(epoch: int, score: float) -> None:
    from ray import tune

    tune.report({"epoch": epoch, "score": score})


def error_line(error: BaseException) -> str:
    """One line for what ended a trial: a DfxError's own text, otherwise the type and the first line of any other."""
    lines = str(error).strip().splitlines() or [""]
    return lines[0] if isinstance(error, DfxError) else f"{type(error).__name__}: {lines[0]}".removesuffix(": ")


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables that the user has not set, for a while."""
    added = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
