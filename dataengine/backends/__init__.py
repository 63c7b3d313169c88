"""Backends turn encoded bytes and draws into pixels: `cpu` on any platform, `dali` where DALI is installed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from dataengine.augment import Draws
from dataengine.errors import DfxError, unknown_name

Read = Callable[[int], memoryview]
"""The encoded bytes of a row; raises MediaError where they are damaged. Called from many threads."""

NAMES = ("auto", "cpu", "dali")


@dataclass(frozen=True, slots=True)
class Request:
    """A batch to decode."""

    rows: npt.NDArray[np.int64]
    """(B,); -1: nothing is to be decoded there."""
    draws: Draws
    """(V, B)."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The pixels of a request."""

    images: torch.Tensor
    """uint8 (V, B, size, size, 3), RGB; undefined where the row is -1 or failed. On the host (pinned where that helps
    the copy to the device) or already on the device."""
    failures: list[tuple[int, str]] = field(default_factory=list)
    """(place in the batch, reason) of what could not be read, in order."""
    fallback: str = ""
    """Why the backend left this batch to the cpu path, where it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuDecoding:
    """How DALI decodes JPEGs on a GPU. Nothing of it touches decoding on a CPU.

    The defaults follow DALI's own, or agreement with the cpu backend; `benchmarks/gpu/loader.py` is what measures them.
    """

    engine_share: float = 0.65
    """Share of a batch for the GPU's JPEG engine, in [0, 1]: DALI's `hw_decoder_load` with DALI's default, not measured
    here. The rest goes to the GPU's cores, whose Huffman decoding is done by CPU threads. The engine takes baseline
    JPEGs, grey or with 4:4:4, 4:2:2, 4:2:0 or 4:4:0 chroma; others, and GPUs without an engine, go without it."""
    fancy: bool = True
    """Whether subsampled chroma is interpolated, as libjpeg-turbo does, so that the backends agree; else repeated,
    DALI's default. Whether the engine can do it is settled by the driver as it runs; where it cannot, the cores do."""
    largest: tuple[int, int] = (0, 0)
    """Width and height in pixels of the largest image to come, for which memory is taken beforehand; 0, DALI's default:
    none is, and it grows with the images. What a hint gains has not been measured."""
    regions: bool = True
    """Whether only the crop's window is decoded, where a sample has one view; else the image is decoded whole and cut.
    On a CPU a window is the faster of the two; on a GPU that has not been measured."""
    tied: bool = False
    """Whether each of the decoder's threads is tied to a core: DALI's `affine`, on by default there. Trials that share
    a machine would be tied to the same cores. What it does for one alone has not been measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a backend is built for."""

    read: Read
    size: int
    """Height and width of the output, in pixels."""
    views: int
    batch: int
    """Samples in a request."""
    threads: int
    prefetch: int
    """Batches that are worked on beyond the one that is waited for."""
    device: torch.device
    operations: frozenset[str] = frozenset()
    """Those of `dataengine.augment.OPERATIONS` that may be drawn."""
    gpu: GpuDecoding = GpuDecoding()


class Backend(Protocol):
    """Decodes, crops, scales, flips and edits as it is told; it draws nothing."""

    name: str

    def stream(self, requests: Iterable[Request]) -> Generator[Decoded]:
        """The results in the order of the requests, which are taken ahead of what is handed out.

        One stream at a time. Closing it drops what was under way.
        """
        ...

    def close(self) -> None:
        """End the threads; no stream may be running."""
        ...


def choose_backend(name: str, device: torch.device) -> tuple[str, str]:
    """The backend that `name` means for a device ("cpu" or "dali") and, in one line, why it is that one.

    `auto` is DALI for a CUDA device where it can be imported, else cpu. Raises DfxError for an unknown name, and for
    `dali` where DALI cannot be imported.
    """
    if name not in NAMES:
        raise unknown_name("backend", name, NAMES)
    if name == "cpu":
        return "cpu", "asked for"
    if name == "auto" and device.type != "cuda":
        return "cpu", f"the device is {device.type}, where libjpeg-turbo is faster than DALI"
    try:
        import dataengine.backends.dali  # noqa: F401
    except ImportError as error:
        if name == "auto":
            return "cpu", f"DALI cannot be imported ({error})"
        raise DfxError(
            f"DALI cannot be imported ({error}); install it with `pip install nvidia-dali-cuda130` (Linux), "
            "or take the backend 'cpu'"
        ) from None
    return "dali", "asked for" if name == "dali" else "the device is cuda and DALI is installed"


def open_backend(name: str, setup: Setup) -> Backend:
    """The backend called `name`, "cpu" or "dali", ready to stream."""
    if name == "dali":
        from dataengine.backends.dali import DaliBackend

        return DaliBackend(setup)
    from dataengine.backends.cpu import CpuBackend

    return CpuBackend(setup)
