"""Frames of a video decoded by a GPU's video engine (NVDEC), through DALI.

Its pixels differ from `video.decode_frames` by how YUV becomes RGB, and it hides damage that the CPU's decoder reports.
So it is a setting of the store, and what can be checked of a file without decoding it is checked here first.

Each process holds a CUDA context, the frames of a chunk, and the decoders that DALI keeps: it finds one again only
where a video's height is a whole number of coding blocks, and keeps up to 100 others (1080 lines, coded as 1088, are
such a case). Source of the operator: NVIDIA DALI, `fn.decoders.video` and `operators/video/frames_decoder_gpu.cc`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import av
import cv2
import numpy as np
import numpy.typing as npt

from dataengine.errors import DfxError, MediaError
from dataengine.video import Pixels, opened_video, upright

Device = Literal["mixed", "cpu"]
"""mixed: NVDEC. cpu: DALI's own decoder of VP8, VP9 and MJPEG, for tests where there is no GPU."""

_CHUNK_BYTES = 256 << 20
"""Of decoded frames at once. Between two chunks the decoder goes back to a keyframe."""
_REORDERED = 16
"""Frames before a break that may lack what they were predicted from: the longest reordering of H.264 and HEVC."""
_WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""Of red and blue in luma, by what a stream says of its matrix (ITU-T H.273, table 4). All others are BT.601's."""
_FULL = re.compile(r"out of memory|CUDA allocation failed|Can't allocate \d+ bytes on device", re.IGNORECASE)
"""What DALI says where a GPU's memory runs out (its `core/cuda_error.h`)."""


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
        DfxError: the GPU's memory ran out, which is no fault of the file.
        MediaError: the file cannot be opened or decoded, is truncated by more than that, hides frames by an edit
            list, which are counted differently by different decoders, or is of an odd height, whose colours DALI
            takes from the wrong lines.
    """
    if device == "mixed":
        refuse_without_device()
    readable, first = _looked_over(path, num_frames)
    wanted = [index for index in indices if index < readable]
    chunk = max(1, _CHUNK_BYTES // (first.width * first.height * 3))
    colours = _from_bt601(int(first.colorspace))
    data = np.fromfile(path, np.uint8)
    rest = iter(wanted)
    while part := list(islice(rest, chunk)):
        for index, rgb in zip(part, _decoded(path, data, part, device), strict=True):
            yield index, upright(rgb if colours is None else np.asarray(cv2.transform(rgb, colours), np.uint8), first)


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
    if first.height % 2:
        raise MediaError(f"{path}: nvdec gives the wrong colours for an odd height ({first.height}); use --decoder cpu")
    return (num_frames if whole >= num_frames else whole - _REORDERED), first


def _decoded(path: str | Path, data: Any, indices: Sequence[int], device: Device) -> Pixels:
    """(number of indices, height, width, 3), as stored."""
    try:
        pipeline = _pipeline(device)
        pipeline.feed_input("video", [data])
        pipeline.feed_input("frames", [np.array(indices, np.int32)])
        (output,) = pipeline.run()
        frames = np.asarray((output if device == "cpu" else output.as_cpu()).at(0), np.uint8)
    except RuntimeError as error:
        _pipeline.cache_clear()  # one that has failed runs no more
        if _FULL.search(str(error)):
            raise DfxError(
                "--decoder nvdec: the GPU's memory is full; run the same command with fewer --workers, and it goes on"
            ) from None
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


@lru_cache
def _from_bt601(matrix: int) -> npt.NDArray[np.float64] | None:
    """What makes RGB of a stream with this matrix of RGB that was made with BT.601's, which DALI takes for all."""
    if matrix not in _WEIGHTS:
        return None
    return np.asarray(_to_rgb(*_WEIGHTS[matrix]) @ np.linalg.inv(_to_rgb(0.299, 0.114)))


def _to_rgb(red: float, blue: float) -> npt.NDArray[np.float64]:
    """RGB of luma and the two differences of colour, for these weights of red and blue in luma."""
    green = 1 - red - blue
    to_red, to_blue = 2 * (1 - red), 2 * (1 - blue)
    return np.array([[1, 0, to_red], [1, -to_blue * blue / green, -to_red * red / green], [1, to_blue, 0]])


def _cause(error: RuntimeError) -> str:
    """The line that says why: it follows a copy of our own code."""
    said = str(error).partition("encountered:")[2].strip() or str(error).strip()
    return said.splitlines()[0][:150]
