"""TensorBoard: event files in the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = "tensorboard"

_FLUSH_S = 10
"""How far the files may be behind: what a killed process loses of them, and a viewer waits for."""


class TensorBoard:
    """Scalars by step and the settings as a table of text, in `run/tensorboard/`.

    Readers drop what an earlier process wrote of later steps than `step`, where this one goes on from.
    """

    def __init__(self, run: Path, settings: Mapping[str, Any], *, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # imports tensorboard, which takes a second

        self._writer = SummaryWriter(run / FOLDER, purge_step=step + 1, flush_secs=_FLUSH_S)
        lines = [f"| {name} | {value} |" for name, value in settings.items()]
        self._writer.add_text("settings", "\n".join(["| setting | value |", "|---|---|", *lines]), step)

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Add each value to its curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self, *, failed: bool) -> None:
        """Write what is left and close the file."""
        self._writer.close()
