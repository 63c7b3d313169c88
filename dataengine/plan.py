"""Which clip goes into which shard: a pure function of the clips, the settings and the seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dataengine.errors import DfxError
from dataengine.order import counter_hash, text_hash
from dataengine.recorded import recorded
from dataengine.records import FORMAT, SPLITS, Clip
from dataengine.settings import ExtractSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertSettings:
    """Everything that decides a store's bytes, beside the clips themselves."""

    extract: ExtractSettings = field(default_factory=ExtractSettings)
    seed: int = 0
    """Of derived splits, of which clip goes to which shard, and of the order in a shard."""
    shard_samples: int = 2048
    """About so many images a shard: 64 clips of 32 frames, 50 MB, a few minutes of work to lose."""

    def __post_init__(self) -> None:
        if self.shard_samples < 1:
            raise DfxError(f"shard_samples is {self.shard_samples}; give at least 1")


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """One shard: a task of its own."""

    shard: str
    """The tar's file name, {split}-{n:06d}.tar."""
    clips: tuple[Clip, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All shards of a store, and the digest that recognises the same plan again."""

    shards: tuple[ShardPlan, ...]
    digest: str

    @property
    def num_clips(self) -> int:
        """Of all shards."""
        return sum(len(shard.clips) for shard in self.shards)


def make_plan(clips: Sequence[Clip], settings: ConvertSettings) -> Plan:
    """Spread the clips of each split over its shards at random, so that a sequential read is mixed by class.

    Every clip must have a split; the order in which they are given does not matter.
    """
    shards = []
    for split in SPLITS:
        members = sorted(
            (clip for clip in clips if clip.split == split),
            key=lambda clip: (int(counter_hash(settings.seed, text_hash(clip.clip))), clip.clip),
        )
        sizes = [most_frames(clip, settings.extract) for clip in members]
        count = max(1, round(sum(sizes) / settings.shard_samples)) if members else 0
        bounds = [sum(sizes) * (n + 1) / count for n in range(count)]
        parts: list[list[Clip]] = [[] for _ in range(count)]
        number, filled = 0, 0
        for clip, size in zip(members, sizes, strict=True):
            parts[number].append(clip)
            filled += size
            while number < count - 1 and filled >= bounds[number]:
                number += 1
        named = [ShardPlan(f"{split}-{n:06d}.tar", tuple(part)) for n, part in enumerate(filter(None, parts))]
        shards.extend(named)
    return Plan(tuple(shards), _digest(shards, settings))


def most_frames(clip: Clip, settings: ExtractSettings) -> int:
    """Frames that are asked of a clip, as far as its paths and the settings say: a video may have fewer."""
    return settings.frames if clip.media == "video" else min(settings.frames, len(clip.paths))


def _digest(shards: Sequence[ShardPlan], settings: ConvertSettings) -> str:
    """sha256 of [FORMAT, settings, shards] as JSON, a shard at a time: millions of clips make gigabytes of text."""
    digest = hashlib.sha256(f"[{FORMAT}, {json.dumps(settings_json(settings), sort_keys=True)}, [".encode())
    for number, shard in enumerate(shards):
        text = json.dumps([shard.shard, [_planned(clip) for clip in shard.clips]], sort_keys=True)
        digest.update((", " * bool(number) + text).encode())
    digest.update(b"]]")
    return digest.hexdigest()


def _planned(clip: Clip) -> dict[str, Any]:
    """What of a clip decides the store: a changed file is found by its size (`Clip.source_bytes`) and said."""
    return {name: getattr(clip, name) for name in _PLANNED}


_PLANNED = tuple(each.name for each in fields(Clip) if each.name != "source_bytes")


def settings_json(settings: ConvertSettings) -> dict[str, Any]:
    """The settings as they stand in dataset.json; of a file that they name, its sha256 alone."""
    return {**asdict(settings), "extract": recorded(settings.extract)}
