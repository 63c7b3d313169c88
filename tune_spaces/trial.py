"""One trial, in a worker process: a training, then its evaluation on every target."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainers.config import TrainConfig
from tune_spaces.hooks import Outcome, Report
from tune_spaces.records import Trial
from tune_spaces.resources import Share

if TYPE_CHECKING:
    from trainers.progress import EpochRecord

METRICS = ("detection_auc", "attribution_balanced_accuracy")
"""What the trials' table shows of each target, by clip; the predictions hold everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What all trials of a sweep have in common. Calling it runs one of them."""

    runs: Path
    """Folder of the run folders; absolute, since a worker's current folder is not the sweep's."""
    train: TrainConfig
    """What no trial changes."""
    sources: Mapping[str, str]
    """Store references by the source's name."""
    targets: Mapping[str, str]
    """Store references by the target's name, each evaluated on its test split."""

    def config(self, trial: Trial) -> TrainConfig:
        """The settings that a trial trains with. Raises DfxError where they are none."""
        return replace(self.train, data=(self.sources[trial.source],), seed=trial.seed, **trial.settings)  # type: ignore[arg-type]

    def __call__(self, trial: Trial, share: Share, report: Report) -> Outcome:
        """Train and evaluate; a trial that was cut off goes on from its last epoch."""
        from trainers.evaluation.evaluate import evaluate
        from trainers.fit import fit

        started = time.perf_counter()
        _stay_within(share)
        run = self.runs / trial.trial_id
        config = replace(self.config(trial), device=share.device, threads=share.cpus)
        scores: list[float] = []

        def on_epoch(record: EpochRecord) -> None:
            scores.append(max([record.val_balanced_accuracy, *scores]))
            report(len(scores), scores[-1])

        # Early stopping and the search see a trial that is taken up again as if it had not been cut off.
        for record in _history(run):
            on_epoch(record)
        result = fit(config, run, resume=True, on_epoch=on_epoch)
        for record in result.epochs[len(scores) :]:
            on_epoch(record)
        refs = list(self.targets.values())
        results = evaluate(run, refs, split="test", device=share.device, threads=share.cpus) if refs else []
        found = {name: _metrics(result) for name, result in zip(self.targets, results, strict=True)}
        return Outcome(seconds=time.perf_counter() - started, targets=found)


def _history(run: Path) -> list[EpochRecord]:
    """The epochs that an earlier session finished."""
    from trainers.checkpoint import read_state
    from trainers.progress import EpochRecord
    from trainers.run import STATE_FILE

    state = run / STATE_FILE
    return [EpochRecord.of(line) for line in read_state(state)["history"]] if state.exists() else []


def _metrics(result: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: result["clip"][name] for name in METRICS if name in result["clip"]}


def _stay_within(share: Share) -> None:
    """Keep this process to its part of the machine."""
    import torch

    torch.set_num_threads(share.cpus)
    if 0 < share.gpus < 1:
        # A part of a GPU is bookkeeping to Ray: without a limit, one trial could take its neighbour's memory.
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(share.gpus)
