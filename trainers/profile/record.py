"""What a profile holds: milliseconds a batch of every stage, and what they were measured on."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

STAGES = ("storage", "decode", "augmentation")
"""What the loader does to a sample, in that order."""

_COLD = 2.0  # the first read over the second, and
_COLD_US = 25  # a thread's time an image beyond the second: opening tars and starting threads take less, storage more
_HELD = 0.5  # of the memory: the rest is the training's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Milliseconds a batch: the median of the rounds, the fastest and the slowest one."""

    ms: float
    """Always a round's own: of an even number the faster of the middle two, since noise only adds time."""
    low: float
    high: float
    spread: float
    """The slowest over the fastest of the middle half of the rounds (of all, where they are fewer than four)."""

    @classmethod
    def of(cls, rounds: Sequence[float]) -> Timing:
        """Of one value a round, in milliseconds."""
        ordered = sorted(rounds)
        beside = len(ordered) // 4
        low, high = ordered[beside], ordered[-1 - beside]
        spread = high / low if low else 1.0
        return cls(ms=statistics.median_low(ordered), low=ordered[0], high=ordered[-1], spread=spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One training's input and its step, timed apart and together. All times are for a batch of `batch` samples."""

    data: tuple[str, ...]
    task: str
    model: str
    loss: str
    augment: str
    size: int
    batch: int
    views: int
    """Draws of each sample; the model is shown them all."""
    amp: str
    device: str
    device_name: str
    backend: str
    """What decodes: cpu or dali."""
    threads: int
    """Of the loader; on the CPU of the model as well."""
    cpus: int
    """That this process may use."""
    remote: bool
    """Whether a store lies on another machine, so that a first read downloads it."""
    data_bytes: int
    """Of the training's samples, encoded."""
    room_bytes: int
    """Of memory, which the page cache is a part of; of the local cache, where a store is remote."""
    first_read_ms: float
    """Reading and hashing samples which this process had not read before."""
    storage: Timing
    """The same samples again: now from the page cache, or from the local cache of a remote store."""
    decode: Timing
    """The loader without augmentation, the largest centred square scaled: storage and decode."""
    loader: Timing
    """The loader as the training has it: storage, decode and augmentation."""
    cached_step: Timing
    """The training's step on batches that lie on the device: what no loader can improve on."""
    step: Timing
    """The training's step fed by the loader."""
    wait: Timing
    """Of that, how long the loader was waited for. A GPU may still be at work meanwhile."""

    @property
    def stages(self) -> dict[str, float]:
        """What each stage adds to the loader's time, in ms a batch; they add up to `loader`."""
        decoded = min(self.decode.ms, self.loader.ms)  # a random window may be cheaper to scale than the whole square
        read = min(self.storage.ms, decoded)
        return dict(zip(STAGES, (read, decoded - read, self.loader.ms - decoded), strict=True))

    @property
    def drowned(self) -> tuple[str, ...]:
        """The stages that add less than rounds differ by: the loader has been as fast with them as without."""
        pairs = {"decode": (self.storage, self.decode), "augmentation": (self.decode, self.loader)}
        return tuple(name for name, (without, having) in pairs.items() if having.low <= without.ms)

    @property
    def on_gpu(self) -> bool:
        """Whether the model has a device of its own."""
        return self.device.startswith("cuda")

    @property
    def cold(self) -> bool:
        """Whether the first read was of storage, not of the page cache."""
        beyond_us = 1000 * (self.first_read_ms - self.storage.ms) * self.threads / self.batch
        return self.first_read_ms > _COLD * self.storage.ms and beyond_us > _COLD_US

    @property
    def stays(self) -> bool:
        """Whether the page cache (of a remote store: the local cache) holds all samples from epoch to epoch."""
        return self.data_bytes <= (1 if self.remote else _HELD) * self.room_bytes

    @property
    def rereads(self) -> bool:
        """Whether every epoch reads storage anew."""
        return self.cold and not self.stays

    @property
    def spread(self) -> float:
        """Of what differs most from round to round."""
        return max(timing.spread for timing in (self.decode, self.loader, self.cached_step, self.step))

    def as_dict(self) -> dict[str, Any]:
        """JSON values under stable keys."""
        derived = {"stages": self.stages, "cold": self.cold, "stays": self.stays, "spread": self.spread}
        return {**asdict(self), "data": list(self.data), **derived}
