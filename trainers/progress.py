"""How a training stands: what is told after a step, and what an epoch adds up to."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_TERM = "train_"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """How training stands after a step."""

    epoch: int
    """From 0."""
    step: int
    """From 1."""
    num_steps: int
    """Of the whole training."""
    loss: float
    """The mean over all processes."""
    terms: dict[str, float]
    """Each term of the loss before its weight."""
    lr: float
    images_per_s: float
    """Of all processes, since the epoch began."""
    input_wait: float
    """Share of the time since the epoch began spent waiting for the loader, in [0, 1]."""


OnStep = Callable[[StepRecord], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRecord:
    """A line of metrics.jsonl."""

    epoch: int
    """From 0."""
    step: int
    """Steps taken since the start."""
    train_loss: float
    """Mean over the epoch's steps."""
    train_terms: dict[str, float]
    """Likewise each term of the loss, before its weight; in the file each is a `train_{term}`."""
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
        terms = {f"{_TERM}{name}": value for name, value in values.pop("train_terms").items()}
        before = ("epoch", "step", "train_loss")
        return {**{name: values.pop(name) for name in before}, **terms, **values}

    @classmethod
    def of(cls, values: dict[str, Any]) -> EpochRecord:
        """The inverse of `as_dict`."""
        terms = {name: value for name, value in values.items() if name.startswith(_TERM) and name != "train_loss"}
        others = {name: value for name, value in values.items() if name not in terms}
        return cls(**others, train_terms={name.removeprefix(_TERM): value for name, value in terms.items()})


class Meter:
    """Sums over the steps of one epoch, of one process. An epoch that was stopped goes on with the sums it had."""

    def __init__(self, waited_s: float, state: dict[str, Any] | None = None) -> None:
        """`waited_s`: how long the stream had been waited for when the epoch began, or went on."""
        state = state or {"sums": {}, "num_steps": 0, "num_images": 0, "seconds": 0.0, "waited_s": 0.0}
        self._sums: dict[str, float] = defaultdict(float, state["sums"])
        self._num_steps: int = state["num_steps"]
        self.num_images: int = state["num_images"]
        self._start: float = time.perf_counter() - state["seconds"]
        self._waited_before = waited_s - state["waited_s"]
        self._waited_s: float = state["waited_s"]

    def state_dict(self) -> dict[str, Any]:
        """The sums, as JSON values."""
        return {
            "sums": dict(self._sums),
            "num_steps": self._num_steps,
            "num_images": self.num_images,
            "seconds": self.seconds,
            "waited_s": self._waited_s,
        }

    def add(self, losses: dict[str, float], waited_s: float) -> None:
        """Count a step: its losses, and how long the stream has been waited for by now."""
        for name, value in losses.items():
            self._sums[name] += value
        self._num_steps += 1
        self._waited_s = waited_s - self._waited_before

    @property
    def seconds(self) -> float:
        """Since the epoch began; the time between stopping and going on does not count."""
        return time.perf_counter() - self._start

    def means(self) -> dict[str, float]:
        """Of each loss over the steps."""
        return {name: value / self._num_steps for name, value in self._sums.items()}

    def images_per_s(self) -> float:
        """Samples a second; views do not count."""
        return float(self.num_images / max(self.seconds, 1e-9))

    def input_wait(self) -> float:
        """Share of the time spent waiting for the stream, in [0, 1]."""
        return float(min(self._waited_s / max(self.seconds, 1e-9), 1.0))
