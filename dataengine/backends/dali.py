"""The DALI backend: bytes in our order through `external_source`, decoded on the GPU, or on the CPU without one.

The only module that imports DALI.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg
import torch
from nvidia.dali import Pipeline, fn, types
from torch.utils.dlpack import from_dlpack

from dataengine.backends import Decoded, Request, Setup
from dataengine.backends.cpu import CpuBackend
from dataengine.backends.slices import SlicePool
from dataengine.errors import MediaError

Bytes = npt.NDArray[np.uint8]

_BLANK_PX = 8
_BLANK = np.frombuffer(simplejpeg.encode_jpeg(np.zeros((_BLANK_PX, _BLANK_PX, 3), np.uint8)), np.uint8)
"""Stands where there is nothing to decode: DALI wants batches without holes."""


class DaliBackend:
    """A DALI pipeline that runs `prefetch` batches ahead, fed with samples whose bytes are those of the index.

    A batch on which DALI still raises is decoded by the cpu backend; the pipeline is then built anew for what follows.
    """

    name = "dali"

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._pool = SlicePool(threads=setup.threads, prefetch=setup.prefetch)
        self._pipeline: Pipeline | None = None
        self._source: Iterator[_Fed] = iter(())
        self._fed: deque[_Fed] = deque()

    def stream(self, requests: Iterable[Request]) -> Generator[Decoded]:
        """See `Backend.stream`."""
        read = self._pool.ahead(requests, self._blanks, self._read)
        self._source = (_Fed(request, data, list(chain.from_iterable(found))) for request, data, found in read)
        self._fed.clear()
        try:
            while True:
                try:
                    images = self._run()
                except StopIteration:
                    break
                except RuntimeError as error:
                    if not self._fed:  # it cannot even be built: no driver, no memory
                        raise
                    lost = self._fed.popleft()
                    self._rebuild()
                    yield self._on_cpu(lost.request, reason=_reason(error))
                else:
                    yield Decoded(images, self._fed.popleft().failures)
        except BaseException:
            self._pipeline = None  # it still holds batches of this stream
            raise
        finally:
            read.close()

    def close(self) -> None:
        """See `Backend.close`."""
        self._pipeline = None
        self._pool.close()

    def _blanks(self, request: Request) -> list[Bytes]:
        return [_BLANK] * len(request.rows)

    def _read(self, request: Request, data: list[Bytes], part: range) -> list[tuple[int, str]]:
        failures = []
        for i in part:
            row = int(request.rows[i])
            if row >= 0:
                try:
                    data[i] = np.frombuffer(self._setup.read(row), dtype=np.uint8)
                except MediaError as error:
                    failures.append((i, str(error)))
        return failures

    def _run(self) -> torch.Tensor:
        """The images of the oldest batch that was fed; StopIteration after the last, RuntimeError where DALI failed."""
        if self._pipeline is None:
            self._pipeline = self._build()
        stream = torch.cuda.current_stream(self._setup.device) if self._on_gpu else None
        try:
            views = self._pipeline.run(stream)
        except StopIteration:
            self._pipeline.reset()
            raise
        tensors = [from_dlpack(view.as_tensor()) for view in views]
        return tensors[0][None] if len(tensors) == 1 else torch.stack(tensors)

    def _rebuild(self) -> None:
        """Feed again, to a new pipeline, what the old one still had before it."""
        self._source = chain(tuple(self._fed), self._source)
        self._fed.clear()
        self._pipeline = None

    def _on_cpu(self, request: Request, reason: str) -> Decoded:
        backend = CpuBackend(replace(self._setup, prefetch=1))
        try:
            (decoded,) = backend.stream([request])
        finally:
            backend.close()
        return replace(decoded, fallback=reason)

    @property
    def _on_gpu(self) -> bool:
        return self._setup.device.type == "cuda"

    def _feed(self) -> list[Any]:
        """DALI's callback: the next batch's bytes, and for each view its windows' corners, their sizes, its flips."""
        fed = next(self._source)
        self._fed.append(fed)
        draws = fed.request.draws
        there = np.array([data is not _BLANK for data in fed.data])
        corners = np.where(there[:, None], np.stack([draws.y, draws.x], axis=-1), 0)
        sides = np.where(there[:, None], np.stack([draws.h, draws.w], axis=-1), _BLANK_PX)
        views = zip(corners, sides, draws.flip.astype(np.int32), strict=True)
        return [fed.data, *chain.from_iterable(views)]

    def _build(self) -> Pipeline:
        setup = self._setup
        gpu = torch.cuda.current_device() if self._on_gpu and setup.device.index is None else setup.device.index
        pipeline = Pipeline(
            batch_size=setup.batch,
            num_threads=setup.threads,
            device_id=gpu if self._on_gpu else None,
            prefetch_queue_depth=setup.prefetch,
            exec_dynamic=True,
        )
        # Fancy upsampling, and no antialiasing: what libjpeg-turbo and OpenCV do, so that the backends agree.
        decode = {
            "device": "mixed" if self._on_gpu else "cpu",
            "output_type": types.RGB,
            "jpeg_fancy_upsampling": True,
            "adjust_orientation": False,
        }
        with pipeline:
            encoded, *parameters = fn.external_source(
                source=self._feed,
                num_outputs=1 + 3 * setup.views,
                dtype=[types.UINT8, *[types.INT32] * 3 * setup.views],
                ndim=[1, *[1, 1, 0] * setup.views],
            )
            whole = fn.decoders.image(encoded, **decode) if setup.views > 1 else None
            outputs = []
            for view in range(setup.views):
                corner, side, flip = parameters[3 * view : 3 * view + 3]
                window = {"start": corner, "shape": side, "axes": (0, 1)}
                if whole is None:
                    cut = fn.decoders.image_slice(encoded, **window, **decode)
                else:
                    cut = fn.slice(whole, **window)
                scaled = fn.resize(cut, size=[setup.size] * 2, interp_type=types.INTERP_LINEAR, antialias=False)
                outputs.append(fn.flip(scaled, horizontal=flip))
            pipeline.set_outputs(*outputs)
        return pipeline


@dataclass(frozen=True, slots=True)
class _Fed:
    request: Request
    data: list[Bytes]
    failures: list[tuple[int, str]]


def _reason(error: RuntimeError) -> str:
    """The line of DALI's message that says what happened; a trace of our own graph stands before it."""
    lines = str(error).rpartition("encountered:")[2].strip().splitlines()
    return lines[0].strip(" :") if lines else type(error).__name__
