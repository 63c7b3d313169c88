"""What Ray Tune asks while a sweep runs: which trial is next, which is to be stopped, and what became of one.

The answers come from `work` and `records`; the classes here only speak Tune's language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tune_spaces.records import Trial, write_trial
from tune_spaces.work import Work

REDUCTION = 3
"""Early stopping lets a third of the trials pass each rung: near the ASHA paper's 4 (arXiv 1810.05934), for short
trainings."""

DIED = "the trial's process died, often for want of memory; give a smaller --batch, or fewer trials at once"


Report = Callable[[int, float], None]
"""`report(epoch, score)`: after each epoch, counted from 1, the best score so far. It does not return where the
trial is stopped early, but raises SystemExit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a trial that ran to its end gives back."""

    seconds: float
    targets: dict[str, dict[str, float | None]]


class Board:
    """What runs now: between Tune's hooks, the work and the records."""

    def __init__(self, work: Work, folder: Path, on_trial: Callable[[Work], None] | None) -> None:
        self.work, self._on_trial = work, on_trial
        self._records, self._runs = folder / "trials", folder / "runs"
        self.running: dict[str, Trial] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its hooks for a restore that dfx never makes (`records`), and a screen has locks."""
        return {}

    def start(self) -> Trial | None:
        """The trial to start now, recorded before it starts; None where there is none."""
        trial = self.work.next()
        if trial is not None:
            write_trial(self._records, trial)
            self.running[trial.trial_id] = trial
            self._tell()
        return trial

    def epoch(self, trial_id: str, epoch: int, score: float) -> None:
        """Take in the best score so far, after an epoch counted from 1."""
        trial = self.running[trial_id]
        trial = self.running[trial_id] = replace(trial, scores=(*trial.scores[: epoch - 1], score))
        self.work.update(trial)
        self._tell()

    def end(self, trial_id: str, result: Mapping[str, Any] | None) -> None:
        """Take in a trial's last result; None where its process died."""
        trial = self.running.pop(trial_id)
        result = {"error": DIED} if result is None else result
        seconds = float(result.get("time_total_s", 0.0))
        if "error" in result:
            trial = replace(trial, status="failed", error=result["error"], seconds=seconds)
            (self._records / f"{trial_id}.txt").write_text(result.get("traceback", DIED))
        elif "outcome" in result:
            outcome: Outcome = result["outcome"]
            trial = replace(trial, status="done", seconds=outcome.seconds, targets=outcome.targets)
        else:
            trial = replace(trial, status="stopped", seconds=seconds)
        write_trial(self._records, trial)
        if trial.status != "failed":
            # A training's state is several times its weights, and nothing goes on from this one.
            (self._runs / trial_id / "state.pt").unlink(missing_ok=True)
        self.work.end(trial)
        self._tell()

    def _tell(self) -> None:
        if self._on_trial:
            self._on_trial(self.work)


def searcher(board: Board) -> Any:
    """Tune's way to ask for the next trial. Tune's own copy of its state is not needed: see `records`."""
    from ray.tune.search import Searcher

    class Next(Searcher):  # type: ignore[misc]
        def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
            trial = board.start()
            if trial is not None:
                return {"trial": trial}
            return Searcher.FINISHED if board.work.finished else None

        def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
            """Nothing: the callback tells the board."""

        def save(self, checkpoint_path: str) -> None:
            """Nothing: see `records`."""

        def restore(self, checkpoint_path: str) -> None:
            """Nothing: see `records`."""

    return Next()


def listener(board: Board) -> Any:
    """Tune's way to say how trials go."""
    from ray.tune import Callback

    class Listener(Callback):  # type: ignore[misc]
        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
            if "score" in result:
                board.epoch(trial.config["trial"].trial_id, result["epoch"], result["score"])

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            board.end(trial.config["trial"].trial_id, trial.last_result)

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            said = trial.last_result if "error" in trial.last_result else None
            board.end(trial.config["trial"].trial_id, said)

    return Listener()


def by_source(board: Board, epochs: int) -> Any:
    """ASHA, one for each source: scores on different sources say nothing about each other."""
    from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

    class Halving(FIFOScheduler):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self._rungs: dict[str, Any] = {}
            for name, source in board.work.sources.items():
                # The first rung at a ninth of the training: before that, a learning rate shows its warm-up only.
                self._rungs[name] = rungs = ASHAScheduler(
                    time_attr="epoch",
                    metric="score",
                    mode="max",
                    max_t=epochs,
                    grace_period=max(1, epochs // REDUCTION**2),
                    reduction_factor=REDUCTION,
                    stop_last_trials=False,
                )
                for known in source.trials.values():
                    if known.stage == "search" and known.status in ("done", "stopped"):
                        earlier = SimpleNamespace(trial_id=known.trial_id)
                        rungs.on_trial_add(None, earlier)
                        for epoch, score in enumerate(known.scores, start=1):
                            rungs.on_trial_result(None, earlier, {"epoch": epoch, "score": score})

        def on_trial_add(self, controller: Any, trial: Any) -> None:
            planned: Trial = trial.config["trial"]
            if planned.stage == "search":
                self._rungs[planned.source].on_trial_add(controller, trial)

        def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
            planned: Trial = trial.config["trial"]
            if planned.stage == "seed" or "score" not in result:
                return str(self.CONTINUE)
            action = self._rungs[planned.source].on_trial_result(controller, trial, result)
            # A trial that has trained to its end goes on to its evaluation.
            return str(self.CONTINUE if result["epoch"] >= epochs else action)

    return Halving()
