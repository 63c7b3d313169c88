"""What a loader hands out, and what it could not read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from dataengine.errors import StoreError
from dataengine.place import how_to_mend
from dataengine.selection import Rows


@dataclass(frozen=True, slots=True)
class Batch:
    """One rank's part of a global batch of B samples."""

    images: torch.Tensor
    """(B, 3, H, W), or (V, B, 3, H, W) for V > 1 views, on the loader's device, channels last in memory: normalised
    floats, or uint8 RGB. Zero where `valid` is False."""
    labels: torch.Tensor
    """int64 (B,), on the loader's device; -1 for padding."""
    rows: torch.Tensor
    """int64 (B,), on the CPU: the index in the loader's rows of the sample that is there; -1 for padding."""
    valid: torch.Tensor
    """bool (B,), on the CPU: False for padding, and in evaluation for a sample that could not be read."""

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """The same batch with its images and labels on `device`; Lightning calls it."""
        images, labels = (part.to(device, non_blocking=non_blocking) for part in (self.images, self.labels))
        return replace(self, images=images, labels=labels)


@dataclass(frozen=True, slots=True)
class BadSample:
    """A sample that could not be read."""

    key: str
    reason: str
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BadBudget:
    """How many samples may be unreadable before a loader stops."""

    in_a_row: int = 100
    """Reads that may fail with no good sample between them: more, and a disk or a shard is gone."""
    share: float = 0.1
    """Of the selected rows: with more than that missing, results no longer speak of the dataset."""


class BadSamples:
    """Counts what could not be read against a budget, each row once."""

    def __init__(self, rows: Rows, budget: BadBudget) -> None:
        self._rows = rows
        self._budget = budget
        self._in_a_row = 0
        self._found: dict[int, BadSample] = {}

    @property
    def found(self) -> list[BadSample]:
        """In the order in which they were met."""
        return list(self._found.values())

    def good(self) -> None:
        """A sample was read."""
        self._in_a_row = 0

    def add(self, row: int, reason: str) -> None:
        """A sample was not; raises StoreError where that is past the budget."""
        self._in_a_row += 1
        if row not in self._found:
            self._found[row] = BadSample(str(self._value("key", row)), reason, row)
        most = self._budget.share * len(self._rows)
        if self._in_a_row > self._budget.in_a_row:
            what = f"{self._in_a_row} samples in a row cannot be read ({self._budget.in_a_row} are allowed)"
        elif len(self._found) > most:
            share = f"{self._budget.share:.3g} of them is allowed"
            what = f"{len(self._found)} of {len(self._rows)} samples cannot be read ({share})"
        else:
            return
        shard = self._rows.shard_files[self._value("shard_file", row)]
        raise StoreError(
            f"{what}; the last is '{self._found[row].key}' in {shard}: {reason}; for that tar, {how_to_mend(shard)}"
        )

    def _value(self, column: str, row: int) -> Any:
        return self._rows.table.column(column)[row].as_py()
