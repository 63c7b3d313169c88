"""Frames of a video decoded by a GPU's video engine (NVDEC), through DALI.

Its pixels differ from `video.decode_frames` by how YUV becomes RGB, and it hides damage that the CPU's decoder reports.
So it is a setting of the store, and what can be checked of a file without decoding it is checked here first.
Source of the operator: NVIDIA DALI, `fn.decoders.video`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np

from dataengine.errors import DfxError, MediaError
from dataengine.video import Pixels, opened_video, upright

Device = Literal["mixed", "cpu"]
"""mixed: NVDEC. cpu: DALI's own decoder of VP8, VP9 and MJPEG, for tests where there is no GPU."""

_CHUNK_BYTES = 256 << 20
"""Of decoded frames at once. Between two chunks the decoder goes back to a keyframe."""
_REORDERED = 16
"""Frames before a break that may lack what they were predicted from: the longest reordering of H.264 and HEVC."""


def refuse_without_device() -> None:
    """Raise DfxError where DALI or a CUDA device is missing."""
    try:
        from nvidia.dali import backend
    except ImportError as error:
        raise DfxError(
            f"--decoder nvdec needs DALI, which cannot be imported ({error}); install nvidia-dali-cuda130 (Linux), or "
            "use --decoder cpu"
        ) from None
    try:
        count = backend.GetCUDADeviceCount()  # type: ignore[attr-defined]
    except RuntimeError:  # no driver
        count = 0
    if not count:
        raise DfxError("--decoder nvdec needs a CUDA device and there is none here; use --decoder cpu")


def decode_frames(
    path: str | Path, indices: Sequence[int], *, num_frames: int, device: Device = "mixed"
) -> Iterator[tuple[int, Pixels]]:
    """The frames at `indices` (ascending) as (index, RGB uint8 (height, width, 3)), upright, one at a time.

    As with `video.decode_frames`, no more than max(1, 5 %) of the `num_frames` may be lost at the end.

    Raises:
        DfxError: there is no DALI or no CUDA device.
        MediaError: the file cannot be opened or decoded, is truncated by more than that, or hides frames by an edit
            list, which are counted differently by different decoders.
    """
    if device == "mixed":
        refuse_without_device()
    readable, first = _looked_over(path, num_frames)
    wanted = [index for index in indices if index < readable]
    chunk = max(1, _CHUNK_BYTES // (first.width * first.height * 3))
    data = np.fromfile(path, np.uint8)
    rest = iter(wanted)
    while part := list(islice(rest, chunk)):
        yield from zip(part, (upright(rgb, first) for rgb in _decoded(path, data, part, device)), strict=True)


def _looked_over(path: str | Path, num_frames: int) -> tuple[int, av.VideoFrame]:
    """How many frames can be asked for, and the first one. DALI fills what it cannot read with whatever memory held."""
    with opened_video(path) as (container, stream):
        packets = [packet for packet in container.demux(stream) if packet.size]
        if any(packet.is_discard for packet in packets):
            raise MediaError(f"{path}: its edit list hides frames, which nvdec would count; use --decoder cpu")
        whole = sum(not packet.is_corrupt for packet in packets)
        if num_frames - whole > max(1, num_frames // 20):
            raise MediaError(f"{path}: truncated, {whole} of {num_frames} frames are there; replace the file")
    with opened_video(path) as (container, stream):
        first = next(container.decode(stream), None)
        if first is None:
            raise MediaError(f"{path}: its first frame does not decode; replace the file")
    return (num_frames if whole >= num_frames else whole - _REORDERED), first


def _decoded(path: str | Path, data: Any, indices: Sequence[int], device: Device) -> Pixels:
    """(number of indices, height, width, 3), as stored."""
    pipeline = _pipeline(device)
    try:
        pipeline.feed_input("video", [data])
        pipeline.feed_input("frames", [np.array(indices, np.int32)])
        (output,) = pipeline.run()
        frames = np.asarray((output if device == "cpu" else output.as_cpu()).at(0), np.uint8)
    except RuntimeError as error:
        _pipeline.cache_clear()  # one that has failed runs no more
        raise MediaError(
            f"{path}: DALI's {device} video decoder refuses it ({_cause(error)}); use --decoder cpu"
        ) from None
    if len(frames) != len(indices):
        raise MediaError(f"{path}: DALI gives {len(frames)} of {len(indices)} frames; use --decoder cpu")
    return frames


@lru_cache(maxsize=1)
def _pipeline(device: Device) -> Any:
    from nvidia.dali import fn, pipeline_def, types

    @pipeline_def(  # type: ignore[untyped-decorator]
        batch_size=1, num_threads=1, device_id=None if device == "cpu" else 0, prefetch_queue_depth=1
    )
    def pipeline() -> Any:
        video = fn.external_source(name="video", dtype=types.UINT8, ndim=1)
        frames = fn.external_source(name="frames", dtype=types.INT32, ndim=1)
        return fn.decoders.video(video, device=device, frames=frames, pad_mode="none")

    built = pipeline()
    built.build()
    return built


def _cause(error: RuntimeError) -> str:
    """The line that says why: it follows a copy of our own code."""
    said = str(error).partition("encountered:")[2].strip() or str(error).strip()
    return said.splitlines()[0][:150]
