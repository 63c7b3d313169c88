"""The DALI backend: bytes in our order through `external_source`, decoded on the GPU, or on the CPU without one.

Imported only where DALI is wanted: `open_backend` does it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg
import torch
from nvidia.dali import Pipeline, __version__, fn, pipeline_def, types
from nvidia.dali.tensors import TensorCPU, TensorListCPU
from torch.utils.dlpack import from_dlpack

from dataengine.augment import Draws
from dataengine.backends import Decoded, Request, Setup
from dataengine.backends.cpu import CpuBackend, as_png
from dataengine.backends.headers import CMYK, check_size
from dataengine.backends.operations_dali import Node, arguments, edit, values
from dataengine.backends.slices import SlicePool
from dataengine.errors import MediaError

OLDEST = (2, 2)
"""The first DALI whose decoders of windows can be told to leave an orientation tag alone."""
if tuple(map(int, __version__.split(".")[:2])) < OLDEST:
    raise ImportError(f"DALI {__version__} is older than {'.'.join(map(str, OLDEST))}: add --upgrade")

_BLANK_PX = 8
_BLANK = TensorCPU(np.frombuffer(simplejpeg.encode_jpeg(np.zeros((_BLANK_PX, _BLANK_PX, 3), np.uint8)), np.uint8))
"""Stands where there is nothing to decode: DALI wants batches without holes."""

Feed = Callable[[], list[Any]]
"""The next batch, as `batch_of` gives it; StopIteration after the last."""
Graph = Callable[[Feed, Setup], tuple[Node, ...]]
"""Defines a pipeline's outputs."""


class DaliBackend:
    """A DALI pipeline that runs `prefetch` batches ahead, fed with samples whose bytes are those of the index.

    A batch on which DALI still raises is decoded by the cpu backend; the pipeline is then built anew for what follows.
    """

    name = "dali"

    def __init__(self, setup: Setup, graph: Graph | None = None) -> None:
        """`graph` None: decode, crop, scale, flip and edit; a benchmark of the feed takes one that decodes nothing."""
        self._setup, self._graph = setup, graph or transformed
        self._pool = SlicePool(threads=setup.threads, prefetch=setup.prefetch)
        self._pipeline: Pipeline | None = None
        self._source: Iterator[_Fed] = iter(())
        self._fed: deque[_Fed] = deque()
        self._unread: BaseException | None = None  # what reading raised within DALI's callback

    def stream(self, requests: Iterable[Request]) -> Generator[Decoded]:
        """See `Backend.stream`."""
        read = self._pool.ahead(requests, self._blanks, self._read)
        self._source = (_Fed(request, data, list(chain.from_iterable(found))) for request, data, found in read)
        self._fed.clear()
        self._unread = None
        try:
            while True:
                try:
                    images = self._run()
                except StopIteration:
                    break
                except RuntimeError as error:
                    if self._unread is not None:  # reading failed, not DALI: nothing more will come
                        raise self._unread from None
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

    def _blanks(self, request: Request) -> list[TensorCPU]:
        return [_BLANK] * len(request.rows)

    def _read(self, request: Request, data: list[TensorCPU], part: range) -> list[tuple[int, str]]:
        draws, failures = request.draws, []
        columns = (request.rows, draws.width[0], draws.height[0])
        here = (column[part.start : part.stop].tolist() for column in columns)  # one by one, numpy's numbers cost more
        for i, row, width, height in zip(part, *here, strict=True):
            if row >= 0:
                try:
                    encoded = self._setup.read(row)
                    if check_size(encoded, width, height) in CMYK:
                        encoded = as_png(encoded)
                    data[i] = TensorCPU(encoded)
                except MediaError as error:
                    failures.append((i, str(error)))
        return failures

    def _run(self) -> torch.Tensor:
        """The images of the oldest batch that was fed; StopIteration after the last, RuntimeError where DALI failed."""
        if self._pipeline is None:
            self._pipeline = build(self._feed, self._setup, self._graph)
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
        """DALI's callback: the next batch's bytes, and for each view what `_outputs` wants, in its order."""
        try:
            fed = next(self._source)
        except StopIteration:
            raise
        except BaseException as error:
            self._unread = error
            raise
        there = np.array([data is not _BLANK for data in fed.data])
        batch = batch_of(fed.data, there, fed.request.draws, self._setup)
        self._fed.append(fed)
        return batch


def batch_of(data: list[TensorCPU], there: npt.NDArray[np.bool_], draws: Draws, setup: Setup) -> list[Any]:
    """What a graph is fed for a batch: the bytes, and for each view the arrays that `fed_nodes` names.

    `there` (B,): where the bytes are an image's, and not a blank's.
    """
    corners = np.where(there[:, None], np.stack([draws.y, draws.x], axis=-1), 0)
    sides = np.where(there[:, None], np.stack([draws.h, draws.w], axis=-1), _BLANK_PX)
    # A negative width mirrors: an operator less than a flip of its own, 3 % of the whole work on a CPU.
    scaled = np.stack([np.ones(draws.flip.shape), np.where(draws.flip, -1.0, 1.0)], axis=-1) * setup.size
    # A list of tensors DALI would look at one by one, in Python; it copies the bytes before it goes on.
    out: list[Any] = [TensorListCPU(data, contiguous=False)]  # type: ignore[call-overload]  # its stubs lag behind
    for view in range(setup.views):
        out += [corners[view], sides[view], scaled[view].astype(np.float32)]
        if draws.edits is not None:
            out += values(draws.edits, view, setup.size, setup.operations)
    return out


def build(feed: Feed, setup: Setup, graph: Graph) -> Pipeline:
    """A pipeline that runs `setup.prefetch` batches ahead of what is taken from it."""
    on_gpu = setup.device.type == "cuda"
    gpu = torch.cuda.current_device() if on_gpu and setup.device.index is None else setup.device.index
    define = pipeline_def(
        graph,
        batch_size=setup.batch,
        num_threads=setup.threads,
        device_id=gpu if on_gpu else None,
        prefetch_queue_depth=setup.prefetch,
        exec_dynamic=True,
        enable_conditionals=bool(setup.operations),
    )
    pipeline: Pipeline = define(feed, setup)
    return pipeline


_WINDOW = [("corner", np.int32, 1), ("extent", np.int32, 1), ("scaled", np.float32, 1)]
_TYPES = {np.int32: types.INT32, np.float32: types.FLOAT, np.bool_: types.BOOL}


def fed_nodes(feed: Feed, setup: Setup) -> tuple[Node, list[dict[str, Node]]]:
    """The nodes of what `feed` gives: the bytes, and for each view its parameters by name."""
    wanted = [*_WINDOW, *arguments(setup.operations)]
    encoded, *parameters = fn.external_source(
        source=feed,
        num_outputs=1 + len(wanted) * setup.views,
        dtype=[types.UINT8, *[_TYPES[kind] for _, kind, _ in wanted] * setup.views],
        ndim=[1, *[ndim for _, _, ndim in wanted] * setup.views],
    )
    names, nodes = [name for name, *_ in wanted], iter(parameters)
    return encoded, [{name: next(nodes) for name in names} for _ in range(setup.views)]


def decoding(setup: Setup) -> dict[str, Any]:
    """The arguments of every decoder.

    Fancy upsampling: what libjpeg-turbo does, so that the backends agree.
    """
    on_gpu = setup.device.type == "cuda"
    decode: dict[str, Any] = {
        "device": "mixed" if on_gpu else "cpu",
        "output_type": types.RGB,
        "jpeg_fancy_upsampling": setup.gpu.fancy or not on_gpu,
        "adjust_orientation": False,
    }
    if on_gpu:
        decode["affine"] = setup.gpu.tied
        decode["hw_decoder_load"] = setup.gpu.engine_share
        decode["preallocate_width_hint"], decode["preallocate_height_hint"] = setup.gpu.largest
    return decode


def transformed(feed: Feed, setup: Setup) -> tuple[Node, ...]:
    """The loader's graph: the images of each view; called while a pipeline is defined."""
    device = "gpu" if setup.device.type == "cuda" else "cpu"
    encoded, views = fed_nodes(feed, setup)
    decode = decoding(setup)
    at_once = setup.views > 1 or (device == "gpu" and not setup.gpu.regions)
    whole = fn.decoders.image(encoded, **decode) if at_once else None
    outputs = []
    for fed in views:
        window = {"start": fed["corner"], "shape": fed["extent"], "axes": (0, 1)}
        cut = fn.decoders.image_slice(encoded, **window, **decode) if whole is None else fn.slice(whole, **window)
        # Without antialiasing, as OpenCV's.
        scaled = fn.resize(cut, size=fed["scaled"], interp_type=types.INTERP_LINEAR, antialias=False)
        outputs.append(edit(scaled, setup.size, setup.operations, fed, device))
    return tuple(outputs)


@dataclass(frozen=True, slots=True)
class _Fed:
    request: Request
    data: list[TensorCPU]
    failures: list[tuple[int, str]]


def _reason(error: RuntimeError) -> str:
    """The line of DALI's message that says what happened; a trace of our own graph stands before it."""
    lines = str(error).rpartition("encountered:")[2].strip().splitlines()
    return lines[0].strip(" :") if lines else type(error).__name__
