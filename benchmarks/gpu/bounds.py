"""What the loader on a GPU is held against: DALI on bytes that are at hand, and our feeding with nothing decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np
import torch
from nvidia.dali import fn, types
from nvidia.dali.tensors import TensorCPU
from torch.utils.dlpack import from_dlpack

from dataengine.augment import augment_preset
from dataengine.backends import Setup
from dataengine.backends.dali import DaliBackend, Feed, Graph, batch_of, build, decoding, fed_nodes, transformed
from dataengine.backends.operations_dali import Node
from dataengine.fetch import Shards
from dataengine.parts import Parts
from dataengine.throughput import Contender
from dataengine.throughput.race import Race


def decoded(feed: Feed, setup: Setup, *, in_place: bool) -> tuple[Node, ...]:
    """A graph that decodes whole images and does nothing else; `in_place`: from where the bytes lie."""
    encoded = fn.external_source(source=lambda: feed()[0], dtype=types.UINT8, ndim=1, no_copy=in_place)
    return (fn.decoders.image(encoded, **decoding(setup)),)


def taken(feed: Feed, setup: Setup) -> tuple[Node, ...]:
    """A graph that looks at the size of what it is fed."""
    encoded, (fed, *_) = fed_nodes(feed, setup)
    return (encoded.shape(dtype=types.INT32) + fed["corner"] + fed["extent"] + fed["scaled"],)


class FromMemory:
    """An `Entry`: one of DALI's graphs over batches that were made before; nothing is read, checked or drawn."""

    def __init__(self, race: Race, *, device: str, graph: Graph, **options: Any) -> None:
        self._race, self._graph = race, graph
        with closing(Shards(race.rows)) as shards:
            self._setup = _setup(race, shards, device, **options)
            parts = [part.request for part in _parts(race)(0, 0)]
            there = np.ones(race.settings.batch, dtype=np.bool_)
            self._batches = [
                batch_of([TensorCPU(shards.read(row)) for row in part.rows.tolist()], there, part.draws, self._setup)
                for part in parts
            ]
        self._source: Iterator[list[Any]] = iter(())
        self._pipeline: Any = None

    def open(self) -> None:
        """See `Entry.open`."""
        self._pipeline = build(lambda: next(self._source), self._setup, self._graph)
        self._pipeline.build()

    def batches(self) -> Iterator[torch.Tensor]:
        """See `Entry.batches`. For images of a size of their own, a batch of the size that is asked for stands."""
        on_gpu = self._setup.device.type == "cuda"
        stream = torch.cuda.current_stream(self._setup.device) if on_gpu else None
        stand_in = _stand_in(self._race)
        self._source = iter(self._batches)
        while True:
            try:
                (images,) = self._pipeline.run(stream)
            except StopIteration:
                break
            yield from_dlpack(images.as_tensor()) if self._graph is transformed else stand_in
        self._pipeline.reset()
        if on_gpu:
            torch.cuda.synchronize()

    def close(self) -> None:
        """See `Entry.close`."""
        self._pipeline = None


class Fed:
    """An `Entry`: all that the loader does in Python for DALI, which decodes nothing of it: on the CPU anywhere."""

    def __init__(self, race: Race, **options: Any) -> None:
        self._race, self._shards = race, Shards(race.rows)
        self._backend = DaliBackend(_setup(race, self._shards, "cpu", **options), taken)

    def open(self) -> None:
        """See `Entry.open`: the pipeline is built with its first batch."""

    def batches(self) -> Iterator[torch.Tensor]:
        """See `Entry.batches`. There are no images: a batch of their size stands for them."""
        stand_in = _stand_in(self._race)
        for _ in self._backend.stream(part.request for part in _parts(self._race)(0, 0)):
            yield stand_in

    def close(self) -> None:
        """See `Entry.close`."""
        self._backend.close()
        self._shards.close()


def bounds(device: str, **options: Any) -> tuple[Contender, ...]:
    """DALI from memory with a loader's `options`: decoding alone, twice, and all of the loader's own graph."""
    graphs: dict[str, tuple[str, Graph]] = {
        "decode": ("DALI decodes, bytes copied", partial(decoded, in_place=False)),
        "decode_in_place": ("DALI decodes, bytes where they lie", partial(decoded, in_place=True)),
        "from_memory": ("DALI decodes, crops and scales", transformed),
    }
    return tuple(
        Contender(name=name, what=what, enter=partial(FromMemory, device=device, graph=graph, **options))
        for name, (what, graph) in graphs.items()
    )


def feed(name: str = "feed", **options: Any) -> Contender:
    """Our feeding alone, with a loader's `options`."""
    return Contender(name=name, what="dfx feeds, nothing is decoded", enter=partial(Fed, **options))


def _parts(race: Race) -> Parts:
    augment = augment_preset(race.settings.augment)
    settings = {"batch": race.settings.batch, "seed": 0, "rank": 0, "world_size": 1, "gathered": False}
    return Parts(race.rows, None, augment, mode="train", **settings)


def _setup(race: Race, shards: Shards, device: str, **options: Any) -> Setup:
    augment, settings = augment_preset(race.settings.augment), race.settings
    return Setup(
        read=shards.read,
        size=settings.size,
        views=augment.views,
        batch=settings.batch,
        device=torch.device(device),
        operations=augment.operations,
        **{"threads": settings.threads, "prefetch": 2, **options},
    )


def _stand_in(race: Race) -> torch.Tensor:
    side = race.settings.size
    return torch.empty((race.settings.batch, side, side, 3), dtype=torch.uint8)
