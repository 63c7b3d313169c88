"""When a training's state is saved, and when the training stops."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from dataengine.errors import DfxError
from trainers import checkpoint, distributed
from trainers import run as runs
from trainers.progress import EpochRecord
from trainers.training import Training

_AGREE_EVERY = 8
"""Steps between the moments at which several processes ask each other whether to save or stop."""


class StoppedEarlyError(DfxError):
    """The training was asked to stop and has saved its state."""


class Saver:
    """Saves the state of a training when it is due: in every process, since each has a part of it."""

    def __init__(
        self,
        run: Path,
        training: Training,
        history: list[EpochRecord],
        *,
        save_every_s: float,
        stop: Callable[[], bool] | None,
    ) -> None:
        self._run, self._training, self._history = run, training, history
        self._every_s, self._stop = save_every_s, stop
        self._saved = time.monotonic()
        self._updates = 0

    def after_update(self) -> None:
        """Save where it is time to. Raises StoppedEarlyError where the training shall stop."""
        self._updates += 1
        if distributed.world_size() > 1 and self._updates % _AGREE_EVERY:
            return
        late = time.monotonic() - self._saved >= self._every_s
        wanted = distributed.largest(2 if self._stop is not None and self._stop() else int(late), self._training.device)
        if wanted:
            self.save()
        if wanted == 2:
            raise self._stopped()

    def stop_if_asked(self) -> None:
        """Raise StoppedEarlyError where the training shall stop; what it is at must be saved."""
        asked = self._stop is not None and self._stop()
        if distributed.largest(int(asked), self._training.device):
            raise self._stopped()

    def _stopped(self) -> StoppedEarlyError:
        step, of = self._training.learner.step, self._training.learner.num_steps
        return StoppedEarlyError(f"stopped at step {step} of {of}, and saved in {self._run}; go on with --resume")

    def save(self) -> None:
        """Write state.pt."""
        state = self._training.state_dict()
        if distributed.rank() == 0:
            lines = [record.as_dict() for record in self._history]
            checkpoint.write_state(
                self._run / runs.STATE_FILE,
                {"taxonomy": self._training.problem.taxonomy.as_dict(), "history": lines, "training": state},
            )
        self._saved = time.monotonic()
