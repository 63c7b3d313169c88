"""What is measured, and what came of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from dataengine.augment import augment_preset
from dataengine.backends.slices import usable_cpus
from dataengine.errors import DfxError

READING = "raw_read"
REFERENCE = "bare_decode"
OURS = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is measured."""

    size: int = 224
    batch: int = 64
    threads: int = field(default_factory=usable_cpus)
    """Threads of a contender, or worker processes where it works with those."""
    augment: str = "crop"
    seconds: float = 1.0
    """A round is as many images as bare decoding does in this time: the others take longer for them."""
    rounds: int = 5

    def __post_init__(self) -> None:
        for name in ("size", "batch", "threads", "rounds"):
            if getattr(self, name) < 1:
                raise DfxError(f"{name} is {getattr(self, name)}; give at least 1")
        if not 0 < self.seconds < math.inf:
            raise DfxError(f"seconds is {self.seconds}; give a number above 0")
        if augment_preset(self.augment).views > 1:
            raise DfxError(f"'{self.augment}' draws each image several times; measure one of a single view")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One contender over all rounds."""

    name: str
    what: str
    images_per_s: float
    """Median of the rounds; `low` and `high` are the slowest and the fastest."""
    low: float
    high: float
    rates: tuple[float, ...]
    """Images/s of each round, in order: two contenders' may be divided round by round."""
    ratio: float
    """To bare decoding: median over the rounds of the two rates measured in the same round."""
    ours: float | None
    """dfx's cpu backend as a multiple of this one, likewise; None where that was not measured."""
    cpu_us: float
    """CPU time an image, worker processes included, in microseconds, median: what a core is busy for, whatever else
    runs."""
    first_batch_s: float | None
    """From making the loader to its first batch; imports and conversion are done by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was measured, and on what."""

    settings: Settings
    stores: list[str]
    num_images: int
    """In a round of each contender."""
    mean_bytes: float
    """Of an encoded image."""
    results: list[Result]
    skipped: dict[str, str]
    """Contender -> why it was not measured."""
    machine: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Stable keys, for scripts."""
        return asdict(self)
