"""Frames to an H.264 file, to images or to an archive of them, the same bytes each time."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

import av
import cv2
import simplejpeg

from dataengine.sample.identity import U8

CRF = {"c23": 23, "c40": 40}
"""Constant rate factors under the names that FaceForensics++ gives them."""


def encode(frames: Iterable[U8], size: tuple[int, int], *, crf: int, fps: int) -> bytes:
    """An mp4 file of RGB frames (height, width, 3) of `size` (width, height, both even).

    x264 runs in one thread: its output depends on the number of threads, and the files are made in parallel. Its
    macroblock-tree rate control stays off: on small frames its vector code reads memory that nobody wrote, so that
    the same frames came out as two or three different files.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "medium", "threads": "1", "x264-params": "mbtree=0"}
        for frame in frames:
            planes = cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def jpeg(frame: U8) -> bytes:
    """An RGB frame as a JPEG of quality 95, with halved chroma as cameras and tools write it."""
    data: bytes = simplejpeg.encode_jpeg(frame, 95, "RGB", "420")
    return data


def tar(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Files, given as (name, bytes), in a plain tar, the same bytes each time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def png(frame: U8) -> bytes:
    """An RGB frame as a PNG."""
    data: bytes = cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1].tobytes()
    return data
