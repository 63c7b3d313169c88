"""How much disk a conversion will take, from a few frames of a few of its clips; and whether that is free."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from dataengine.apart import apart
from dataengine.errors import MediaError, StoreError
from dataengine.extract import extract
from dataengine.media import video_file
from dataengine.order import counter_hash
from dataengine.place import Place
from dataengine.plan import ConvertSettings, ShardPlan, most_frames
from dataengine.records import Clip, Sample
from dataengine.settings import ExtractSettings
from dataengine.video import count_frames, frames_within

_UNITS = ("bytes", "kB", "MB", "GB", "TB")

PROBES = 24
"""Clips that are looked at, and no more than a tenth of them where that is at least LEAST_PROBES: a few seconds before
days of work. The mean of so many crops is known to some 10 %."""

LEAST_PROBES = 12

_PROBED_FRAMES = 2
_PROBED_SPAN = 50
"""Frames at the beginning of a video that are decoded for them: two seconds of it cost a fraction of the whole clip."""

_BLOCK = 512
_BESIDE_BYTES = 4 * _BLOCK + 160
"""Of a sample beside its image: two headers and a JSON of two blocks in the tar, its rows in the two indexes."""
_TAR_BYTES = 10_240
"""A tar ends with zeros up to a multiple of this."""
_SHARD_IN_MEMORY = 256 << 20
"""Images of a shard beyond this lie on the disk too until its tar is finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What the shards that are to be written will take."""

    bytes: int
    """Of tars, indexes and tables."""
    images: int
    shard_bytes: int
    """Of one shard, in the mean."""
    probed: int
    """Clips that were looked at; 0 where all sizes are known beforehand."""
    unreadable: int
    """Of those, clips that cannot be read. They are left out of the estimate, so that it is rather too high."""

    def disk_bytes(self, *, workers: int, remote: bool) -> int:
        """What this machine's disk must hold at most: the store and shards in progress, or only those where the
        output is remote."""
        at_once = max(workers, 1)
        spooled = self.shard_bytes if self.shard_bytes > _SHARD_IN_MEMORY else 0
        return at_once * (spooled + self.shard_bytes) if remote else self.bytes + at_once * spooled


def forecast(
    shards: Sequence[ShardPlan], root: Place, settings: ConvertSettings, *, spawn: bool = False
) -> Forecast | None:
    """Predict what `shards` will take.

    Some of their clips, spread evenly over datasets and methods and the same ones each time, are extracted in memory,
    two frames from their first two seconds. Images that keep their bytes need no look. With `spawn` it happens in a
    process of its own: a clip that ends it is one that cannot be read, and the last that is looked at. None where no
    clip that was looked at can be read.
    """
    clips = [clip for shard in shards for clip in shard.clips]
    kept = [clip for clip in clips if settings.extract.faces == "none" and clip.media == "images" and not clip.archive]
    taken = [(clip, most_frames(clip, settings.extract)) for clip in kept]
    known = sum(
        clip.source_bytes * count // len(clip.paths) + count * (_BLOCK // 2 + _BESIDE_BYTES) for clip, count in taken
    )
    images = sum(count for _, count in taken)
    names = {clip.clip for clip in kept}
    open_clips = [clip for clip in clips if clip.clip not in names]
    probes = _spread(open_clips)
    look = partial(_probe, root=root, settings=settings.extract)
    read = [probe for probe in (apart if spawn else map)(look, probes) if probe is not None]
    if probes and not read:
        return None
    if read:
        share = sum(most_frames(clip, settings.extract) for clip in open_clips) / sum(probe.expected for probe in read)
        known += round(share * sum(probe.bytes for probe in read))
        images += round(share * sum(probe.images for probe in read))
    predicted = known + len(shards) * _TAR_BYTES
    return Forecast(
        bytes=predicted,
        images=images,
        shard_bytes=predicted // len(shards),
        probed=len(probes),
        unreadable=len(probes) - len(read),
    )


def _spread(clips: Sequence[Clip]) -> list[Clip]:
    """One clip of each of so many equal parts, drawn: at even distances it would be the same person in each method."""
    ordered = sorted(clips, key=lambda clip: (clip.dataset, clip.raw_method, clip.quality, clip.clip))
    count = min(len(ordered), PROBES, max(LEAST_PROBES, len(ordered) // 10))
    bounds = [i * len(ordered) // count for i in range(count + 1)] if count else []
    return [ordered[a + int(counter_hash(a, b)) % (b - a)] for a, b in pairwise(bounds)]


@dataclass(frozen=True, slots=True)
class _Probe:
    """What a conversion would take of one clip."""

    expected: int
    images: float
    bytes: float


def _probe(clip: Clip, root: Place, settings: ExtractSettings) -> _Probe | None:
    """None where the clip cannot be read."""
    # Crops hardly differ by decoder, and the machine that plans need not have the GPU. A file of boxes may have none
    # for just these frames.
    few = replace(settings, frames=_PROBED_FRAMES, decoder="cpu", boxes=None)
    if clip.media == "images":
        num_frames = most_frames(clip, settings)
        samples, report = extract(replace(clip, paths=clip.paths[:_PROBED_FRAMES]), root, few)
    else:
        try:
            with video_file(root, clip.paths[0]) as path:
                frames = frames_within(clip.ranges, count_frames(path), settings.frames)
                start = clip.ranges[0][0] if clip.ranges else 0
                head = replace(clip, paths=(path.name,), ranges=((start, start + _PROBED_SPAN),))
                num_frames = len(frames)
                samples, report = extract(head, path.parent, few)
        except MediaError:
            return None
    if not report.frames_found:
        return None
    scale = num_frames / report.frames_found
    return _Probe(most_frames(clip, settings), scale * len(samples), scale * sum(map(_stored, samples)))


def _stored(sample: Sample) -> int:
    return -(-len(sample.data) // _BLOCK) * _BLOCK + _BESIDE_BYTES


def free_bytes(folder: Path) -> int:
    """Free space of the file system that a folder, which need not exist yet, lies on or would lie on."""
    there = folder.absolute()
    while not os.path.exists(there):
        there = there.parent
    return shutil.disk_usage(there).free


def refuse_where_it_cannot_fit(needed: int, free: int, out: Place) -> None:
    """Raise StoreError where a conversion into `out` needs more than the `free` bytes."""
    if needed > free:
        raise StoreError(
            f"the conversion needs about {shown_bytes(needed)} on this machine's disk for {out} and "
            f"{shown_bytes(free)} are free; free some, choose another --out, or go on with --force"
        )


def shown_bytes(count: int) -> str:
    """A number of bytes as people read it, such as 12 GB."""
    unit = max(0, min(4, (len(str(count)) - 1) // 3))
    value = count / 1000**unit
    return f"{value:.1f} {_UNITS[unit]}" if unit and value < 10 else f"{value:.0f} {_UNITS[unit]}"
