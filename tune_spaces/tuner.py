"""A sweep's work on Ray Tune: Tune places trials on GPUs and cores, runs them at once and stops the poor ones early.

One Tuner runs the trials of all sources. With one Tuner a source, GPUs would stand idle while the last trials of each
search end. What must not mix is kept apart here instead: every source has its own search (`work`) and its own
early stopping (`hooks.by_source`).
"""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dataengine.cluster import connected
from dataengine.errors import DfxError
from tune_spaces.hooks import Board, Outcome, Report, by_source, listener, searcher
from tune_spaces.records import Trial
from tune_spaces.resources import Node, Share, divide
from tune_spaces.work import Work

RunTrial = Callable[[Trial, Share, Report], Outcome]
"""What runs in a worker process, once a trial."""


@contextmanager
def session(*, gpus: int | None, gpus_per_trial: float, address: str | None = None) -> Iterator[Share]:
    """Start Ray here, or join the cluster at `address`, and yield what each trial gets of it.

    Everything that was started is ended at exit. A Ray that already runs in this process is used and left running.
    Raises DfxError where Ray is missing or cannot be reached, or more GPUs are asked for than there are.
    """
    if address is None:
        import torch

        here = Node(cpus=os.cpu_count() or 1, gpus=torch.cuda.device_count())
        divide([here], gpus=gpus, gpus_per_trial=gpus_per_trial)  # refuses before anything is started
    # A trial that is stopped early may need a while to close its loader before its process takes the next one.
    slow = {"TUNE_FUNCTION_THREAD_TIMEOUT_S": "60"}
    with connected("a sweep", gpus=gpus, address=address, variables=slow):
        import ray

        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        nodes = [Node(cpus=int(r.get("CPU", 0)), gpus=int(r.get("GPU", 0))) for r in alive if r.get("CPU")]
        yield divide(nodes, gpus=gpus, gpus_per_trial=gpus_per_trial)


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
