"""The cpu backend: libjpeg-turbo and OpenCV in threads that write straight into the batch."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from itertools import chain

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
import torch

from dataengine.augment import Draws, Edits
from dataengine.backends import Decoded, Request, Setup
from dataengine.backends.headers import JPEG, check_size, jpeg_size
from dataengine.backends.operations_cpu import edit
from dataengine.backends.slices import SlicePool
from dataengine.buffers import Buffers
from dataengine.errors import MediaError

Pixels = npt.NDArray[np.uint8]


class CpuBackend:
    """Each task takes a slice of a batch: reads, decodes into the thread's own buffer, scales into the batch."""

    name = "cpu"

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._shape = (setup.views, setup.batch, setup.size, setup.size, 3)
        self._buffers = Buffers(self._shape, torch.uint8)
        self._local = threading.local()
        self._pool = SlicePool(threads=setup.threads, prefetch=setup.prefetch)
        cv2.setNumThreads(1)  # else each of our threads would start OpenCV's own for one small image

    def stream(self, requests: Iterable[Request]) -> Generator[Decoded]:
        """See `Backend.stream`."""
        for _, images, failures in self._pool.ahead(requests, self._empty, self._decode):
            yield Decoded(images, list(chain.from_iterable(failures)))

    def close(self) -> None:
        """See `Backend.close`."""
        self._pool.close()

    def _empty(self, request: Request) -> torch.Tensor:
        if self._setup.device.type == "cuda":
            return torch.empty(self._shape, dtype=torch.uint8, pin_memory=True)  # torch keeps and reuses these itself
        return self._buffers.take()

    def _decode(self, request: Request, images: torch.Tensor, part: range) -> list[tuple[int, str]]:
        scratch: Scratch = self._local.__dict__.setdefault("scratch", Scratch())
        out: Pixels = images.numpy()
        read, draws, failures = self._setup.read, request.draws, []
        whole = slice(part.start, part.stop)
        for i, row, places in zip(part, request.rows[whole].tolist(), _places(draws, whole), strict=True):
            if row >= 0:
                try:
                    _decode_at(read(row), places, draws.edits, i, out[:, i], scratch)
                except MediaError as error:
                    failures.append((i, str(error)))
        return failures


class Scratch:
    """One thread's buffers; they grow to the largest image that was seen."""

    def __init__(self) -> None:
        self._buffer = np.empty(0, dtype=np.uint8)
        self._spare = np.empty((0, 0, 3), dtype=np.uint8)

    def of(self, num_bytes: int) -> Pixels:
        """A buffer of at least so many bytes, for a decoded image.

        It begins off the 32-byte grid: where rows lie on it, libjpeg-turbo writes past the caches, and decoding and
        scaling a 256 px image together take a tenth longer (measured).
        """
        if self._buffer.size < num_bytes:
            memory = np.empty(num_bytes + 32, dtype=np.uint8)
            self._buffer = memory[(16 - memory.ctypes.data) % 32 :][:num_bytes]
        return self._buffer

    def spare(self, size: int) -> Pixels:
        """A second image (size, size, 3), for what cannot be done in place."""
        if len(self._spare) != size:
            self._spare = np.empty((size, size, 3), dtype=np.uint8)
        return self._spare


def decode_image(data: memoryview, scratch: Scratch) -> Pixels:
    """RGB pixels (height, width, 3), uint8, as stored (an orientation tag is not followed).

    The array may lie in `scratch`: it holds until the next call. JPEG is decoded strictly, so that damage raises
    MediaError instead of giving grey blocks.
    """
    return _decode_jpeg(data, *jpeg_size(data), scratch) if data[:2] == JPEG else _decode_other(data)


def as_png(data: memoryview) -> memoryview:
    """The pixels of `decode_image` without loss, for a decoder that would take the bytes themselves for others."""
    rgb = decode_image(data, Scratch())
    return memoryview(cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes())


def decode_sample(data: memoryview, draws: Draws, i: int, out: Pixels, scratch: Scratch) -> None:
    """Decode the sample at place `i` of a batch and write its views to `out` (V, size, size, 3).

    Raises MediaError where it cannot be decoded, or has not the size that the index says.
    """
    (places,) = _places(draws, slice(i, i + 1))
    _decode_at(data, places, draws.edits, i, out, scratch)


_Place = tuple[int, int, int, int, int, int, bool, bool]  # the image's width and height, then the draws of a view


def _places(draws: Draws, part: slice) -> list[list[_Place]]:
    """For each sample of a part of the batch, what is drawn for its views: indexing arrays one by one costs more."""
    columns = (draws.width, draws.height, draws.x, draws.y, draws.w, draws.h, draws.flip, draws.edited)
    views = [zip(*(column[view, part].tolist() for column in columns), strict=True) for view in range(len(draws.x))]
    return [list(sample) for sample in zip(*views, strict=True)]


def _decode_at(
    data: memoryview, places: list[_Place], edits: Edits | None, i: int, out: Pixels, scratch: Scratch
) -> None:
    width, height, *_ = places[0]
    if data[:2] == JPEG:
        image = _decode_jpeg(data, width, height, scratch)
    else:
        check_size(data, width, height)
        image = _decode_other(data)
    if image.shape[0] != height or image.shape[1] != width:
        raise MediaError(f"image is {image.shape[1]} x {image.shape[0]} px, but {width} x {height} px in the index")
    for view, (_, _, x, y, w, h, flip, edited) in enumerate(places):
        target = out[view]
        cv2.resize(image[y : y + h, x : x + w], (target.shape[1], target.shape[0]), target, 0, 0, cv2.INTER_LINEAR)
        if flip:
            cv2.flip(target, 1, target)
        if edited and edits is not None:
            edit(target, scratch.spare(len(target)), edits, (view, i))


def _decode_jpeg(data: memoryview, width: int, height: int, scratch: Scratch) -> Pixels:
    """A JPEG of at most `width` x `height` px: what its header says beyond that finds no room in the buffer."""
    try:
        image: Pixels = simplejpeg.decode_jpeg(data, "RGB", buffer=scratch.of(height * width * 3))
    except ValueError as error:
        check_size(data, width, height)  # which tells a lying header from damage behind it
        raise MediaError(f"JPEG cannot be decoded: {error}") from None
    return image


def _decode_other(data: memoryview) -> Pixels:
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        bgr = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise MediaError(f"image cannot be decoded: {error.err}") from None
    if bgr is None:
        raise MediaError("image cannot be decoded: no known format, or damaged")
    rgb: Pixels = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr)
    return rgb
