"""SPDL: a pipeline of threads over extracted files, each of which works on whole batches."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from dataengine.throughput.peers.transforms import TurboTransform
from dataengine.throughput.race import Race

_SINK = 2  # batches that wait for the consumer


class SpdlEntry:
    """An `Entry`: a pipeline ends with its source, so each round builds one.

    Batched before decoding, as its own image example does: one task an image is a third slower here. Decoded with
    libjpeg-turbo, where its own `spdl.io` (FFmpeg) gives a third of the images.
    """

    def __init__(self, race: Race) -> None:
        self._race = race
        self._transform = TurboTransform(race.crop, race.settings.size)
        self._paths = sorted(race.tree(jpeg_only=True).glob("*/*"))

    def open(self) -> None:
        """See `Entry.open`: there is nothing to keep between rounds."""

    def batches(self) -> Iterator[torch.Tensor]:
        """See `Entry.batches`."""
        from spdl.pipeline import PipelineBuilder

        settings = self._race.settings
        pipeline: Any = (
            PipelineBuilder()
            .add_source(random.sample(self._paths, len(self._paths)))
            .aggregate(settings.batch, drop_last=True)
            .pipe(self._batch, concurrency=settings.threads)
            .add_sink(_SINK)
            .build(num_threads=settings.threads)
        )
        with pipeline.auto_stop():
            for images, _ in pipeline.get_iterator():
                yield images

    def close(self) -> None:
        """See `Entry.close`."""

    def _batch(self, paths: list[Path]) -> tuple[torch.Tensor, torch.Tensor]:
        size = self._race.settings.size
        images = torch.empty((len(paths), size, size, 3), dtype=torch.uint8)
        for path, out in zip(paths, images.numpy(), strict=True):
            self._transform.write(path.read_bytes(), out)
        return images, torch.tensor([int(path.parent.name) for path in paths])
