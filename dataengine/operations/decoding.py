"""Whether images decode: with libjpeg-turbo or OpenCV on threads, and with nvJPEG where there is a GPU."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from dataengine.errors import MediaError

BATCH = 64
"""Images that are decoded side by side, and held in memory."""


@dataclass(frozen=True, slots=True)
class Image:
    """One stored image, and the size that the index says it has."""

    key: str
    data: bytes
    width: int
    height: int


class Decoders:
    """All decoders of this machine, to be closed. JPEG is decoded strictly: damage that leaves grey blocks is found."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1)
        self._local = threading.local()
        self._gpu = DaliDecoder("mixed") if _has_gpu() else None

    @property
    def names(self) -> list[str]:
        """Who decodes, in words."""
        return ["libjpeg-turbo (other formats: OpenCV)", *(["nvJPEG"] if self._gpu else [])]

    def failures(self, images: Sequence[Image]) -> list[tuple[str, str]]:
        """(key, reason) of each of up to BATCH images that a decoder refuses, or that has another size."""
        from dataengine.backends.headers import JPEG

        reasons = list(self._threads.map(self._failure, images))
        jpegs = [i for i, image in enumerate(images) if image.data[:2] == JPEG and not reasons[i]]
        if self._gpu and jpegs:
            for i, reason in zip(jpegs, self._gpu.failures([images[i].data for i in jpegs]), strict=True):
                reasons[i] = reason
        return [(image.key, reason) for image, reason in zip(images, reasons, strict=True) if reason]

    def _failure(self, image: Image) -> str:
        # With them comes torch, which takes longer to import than many a store to verify.
        from dataengine.backends.cpu import Scratch, decode_image
        from dataengine.backends.headers import check_size

        scratch: Scratch = self._local.__dict__.setdefault("scratch", Scratch())
        try:
            check_size(memoryview(image.data), image.width, image.height)
            height, width, _ = decode_image(memoryview(image.data), scratch).shape
        except MediaError as error:
            return str(error)
        if (width, height) == (image.width, image.height):
            return ""
        return f"image is {width} x {height} px, but {image.width} x {image.height} px in the index"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._threads.shutdown(cancel_futures=True)


class DaliDecoder:
    """DALI's JPEG decoder: `device` "mixed" is nvJPEG on the first GPU, "cpu" its own on the CPU."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._pipeline: Any = None

    def failures(self, jpegs: Sequence[bytes]) -> list[str]:
        """For each of up to BATCH JPEGs why it is refused, "" where it is not."""
        if not self._refusal(jpegs):
            return [""] * len(jpegs)
        return [self._refusal([jpeg]) for jpeg in jpegs]  # DALI does not say which of a batch it was

    def _refusal(self, jpegs: Sequence[bytes]) -> str:
        import numpy as np

        self._pipeline = self._pipeline or self._built()
        try:
            self._pipeline.feed_input("jpegs", [np.frombuffer(jpeg, dtype=np.uint8) for jpeg in jpegs])
            for images in self._pipeline.run():
                images.shape()  # waits for the GPU
        except RuntimeError as error:
            self._pipeline = None  # what has raised once does not go on
            said = str(error).rpartition("encountered:")[2].strip()  # before it stands a trace of the pipeline
            return f"DALI cannot decode it: {said.splitlines()[0][:200] if said else type(error).__name__}"
        return ""

    def _built(self) -> Any:
        from nvidia.dali import Pipeline, fn, types

        on_gpu = self._device == "mixed"
        pipeline = Pipeline(
            batch_size=BATCH, num_threads=os.cpu_count() or 1, device_id=0 if on_gpu else None, prefetch_queue_depth=1
        )
        with pipeline:
            encoded = fn.external_source(name="jpegs")
            pipeline.set_outputs(fn.decoders.image(encoded, device=self._device, output_type=types.RGB))
        pipeline.build()
        return pipeline


def _has_gpu() -> bool:
    import torch

    try:
        import nvidia.dali  # noqa: F401
    except ImportError:
        return False
    return torch.cuda.is_available()
