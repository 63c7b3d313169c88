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

from dataengine.augment import Draws
from dataengine.backends import Decoded, Request, Setup
from dataengine.backends.slices import SlicePool
from dataengine.buffers import Buffers
from dataengine.errors import MediaError

Pixels = npt.NDArray[np.uint8]

JPEG = b"\xff\xd8"
"""How a JPEG begins."""


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
        failures = []
        for i in part:
            row = int(request.rows[i])
            if row >= 0:
                try:
                    decode_sample(self._setup.read(row), request.draws, i, out[:, i], scratch)
                except MediaError as error:
                    failures.append((i, str(error)))
        return failures


class Scratch:
    """One thread's buffer for a decoded image; it grows to the largest that was seen."""

    def __init__(self) -> None:
        self._buffer = np.empty(0, dtype=np.uint8)

    def of(self, num_bytes: int) -> Pixels:
        """A buffer of at least so many bytes.

        It begins off the 32-byte grid: where rows lie on it, libjpeg-turbo writes past the caches, and decoding and
        scaling a 256 px image together take a tenth longer (measured).
        """
        if self._buffer.size < num_bytes:
            memory = np.empty(num_bytes + 32, dtype=np.uint8)
            self._buffer = memory[(16 - memory.ctypes.data) % 32 :][:num_bytes]
        return self._buffer


def decode_image(data: memoryview, scratch: Scratch) -> Pixels:
    """RGB pixels (height, width, 3), uint8, as stored (an orientation tag is not followed).

    The array may lie in `scratch`: it holds until the next call. JPEG is decoded strictly, so that damage raises
    MediaError instead of giving grey blocks.
    """
    if data[:2] == JPEG:
        try:
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            image: Pixels = simplejpeg.decode_jpeg(data, "RGB", buffer=scratch.of(height * width * 3))
        except ValueError as error:
            raise MediaError(f"JPEG cannot be decoded: {error}") from None
        return image
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        bgr = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise MediaError(f"image cannot be decoded: {error.err}") from None
    if bgr is None:
        raise MediaError("image cannot be decoded: no known format, or damaged")
    rgb: Pixels = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr)
    return rgb


def decode_sample(data: memoryview, draws: Draws, i: int, out: Pixels, scratch: Scratch) -> None:
    """Decode the sample at place `i` of a batch and write its views to `out` (V, size, size, 3).

    Raises MediaError where it cannot be decoded, or is smaller than the index says.
    """
    image = decode_image(data, scratch)
    for view, target in enumerate(out):
        x, y = int(draws.x[view, i]), int(draws.y[view, i])
        w, h = int(draws.w[view, i]), int(draws.h[view, i])
        window = image[y : y + h, x : x + w]
        if window.shape[:2] != (h, w):
            raise MediaError(f"image is {image.shape[1]} x {image.shape[0]} px, less than the index says")
        cv2.resize(window, (target.shape[1], target.shape[0]), dst=target, interpolation=cv2.INTER_LINEAR)
        if draws.flip[view, i]:
            cv2.flip(target, 1, dst=target)
