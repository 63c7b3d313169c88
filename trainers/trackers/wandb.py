"""Weights & Biases: a run in the project WANDB_PROJECT, online or offline as WANDB_MODE says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_DEFAULTS = {"WANDB_FINISH_TIMEOUT": "60", "WANDB_FINISH_TIMEOUT_RAISES": "true"}
"""What the environment does not say otherwise: the end of a training waits so many seconds for a server that is gone,
instead of for ever, and says so; `wandb sync` sends the files later."""


class Wandb:
    """Settings as config, numbers as history by step. A process of its own sends them, so that training never waits.

    Its files lie in `run/wandb/`, unless WANDB_DIR says otherwise.
    """

    def __init__(self, run: Path, settings: Mapping[str, Any], continued: str | None) -> None:
        """Begin a run, or go on in the one of the id `continued`."""
        import wandb

        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "dfx"),
            name=run.name,
            dir=os.environ.get("WANDB_DIR", run),
            config=dict(settings),
            id=continued,
            resume="allow",
            allow_val_change=True,  # a resumed training may run on another device
            reinit="create_new",  # a run which the calling program has active is left alone
            settings=wandb.Settings(console="off", silent=True),  # the terminal belongs to the command line
        )
        self.id: str = self._run.id

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Hand the values over; wandb drops those of steps before the last one that it has."""
        self._run.log(dict(values), step=step)

    def close(self, *, failed: bool) -> None:
        """Hand over what is left and end the run."""
        self._run.finish(exit_code=int(failed))
