"""Videos that are broken, odd or hostile, each made from a whole one, and what becomes of each."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np

WIDTH, HEIGHT, FRAMES = 64, 48, 12
UPRIGHT = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


@lru_cache
def video(
    codec: str = "libx264",
    *,
    seed: int = 0,
    frames: int = FRAMES,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    form: str = "mp4",
    index_last: bool = False,
    gaps: bool = False,
) -> bytes:
    """A whole video of drifting colours."""
    rng = np.random.default_rng(seed)
    options = {} if index_last or form != "mp4" else {"movflags": "faststart"}
    with tempfile.NamedTemporaryFile() as file:
        with av.open(file.name, "w", format=form, options=options) as container:
            stream = container.add_stream(codec, rate=25, options={"g": "6", "threads": "1"})
            (stream.width, stream.height), stream.pix_fmt = size, "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for number in range(frames):
                image = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), size)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts = number + gaps * 5 * (number > 4)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return Path(file.name).read_bytes()


def audio() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def no_frames() -> bytes:
    """A WebM that ends before its first cluster."""
    data = video("libvpx-vp9", form="webm")
    return data[: data.index(b"\x1f\x43\xb6\x75")]


def patched(data: bytes, old: bytes, new: bytes, nth: int = 0) -> bytes:
    """The same bytes with the nth `old` overwritten; what follows keeps its place."""
    at = -1
    for _ in range(nth + 1):
        at = data.index(old, at + 1)
    return data[:at] + new + data[at + len(new) :]


def zeroed(data: bytes, start: float, stop: float) -> bytes:
    """The same bytes with a part of them lost."""
    a, b = int(len(data) * start), int(len(data) * stop)
    return data[:a] + bytes(b - a) + data[b:]


def mjpeg_of_size(width: int, height: int) -> bytes:
    """An AVI whose every JPEG frame claims another size than the container."""
    data = video("mjpeg", form="avi")
    claimed, wanted = struct.pack(">HH", HEIGHT, WIDTH), struct.pack(">HH", height, width)
    return data.replace(b"\xff\xc0\x00\x11\x08" + claimed, b"\xff\xc0\x00\x11\x08" + wanted)


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ngood.mp4\n#EXT-X-ENDLIST\n"
"""A list of videos is no video: it would have other files of this machine, or of the network, opened."""

BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty.mp4": (lambda: b"", "the file is empty; replace it"),
    "text.mp4": (lambda: b"404 Not Found\n" * 50, "not a video, or cut off before its index"),
    "cut-before-index.mp4": (lambda: video(index_last=True)[:-900], "not a video, or cut off before its index"),
    "no-index.mp4": (lambda: patched(video(), b"moov", b"skip"), "not a video, or cut off before its index"),
    "cut.mp4": (lambda: video()[: len(video()) // 2], r"truncated, \d+ of 12 frames decode"),
    "cut.avi": (lambda: video("mjpeg", form="avi")[: len(video("mjpeg", form="avi")) // 2], "truncated"),
    "audio.mp4": (audio, "no video stream in the file"),
    "no-frames.webm": (no_frames, "not a video, or cut off before its index"),
    "unknown-codec.mp4": (lambda: patched(video(), b"avc1", b"zz77", nth=1), "nothing here decodes its video codec"),
    "zeros-in-the-middle.mp4": (lambda: zeroed(video("libvpx-vp9"), 0.4, 0.9), "truncated"),
    "zero-size.avi": (lambda: mjpeg_of_size(0, 0), "truncated"),
    "huge-size.avi": (lambda: mjpeg_of_size(16_000, 16_000), "truncated"),
    "picture.mp4": (lambda: cv2.imencode(".png", np.zeros((48, 64, 3), np.uint8))[1].tobytes(), "not a video"),
    "playlist.mp4": (lambda: PLAYLIST, "not a video"),
    "script.mp4": (lambda: b"ffconcat version 1.0\nfile good.mp4\n", "not a video"),
}
"""By file name: its bytes, and what the reason of its failure says."""

ODD: dict[str, tuple[Callable[[], bytes], tuple[int, int, int]]] = {
    "good.mp4": (video, (FRAMES, WIDTH, HEIGHT)),
    "one-frame.mp4": (lambda: video(frames=1), (1, WIDTH, HEIGHT)),
    "odd-size.mp4": (lambda: video("libvpx-vp9", size=(63, 47)), (FRAMES, 63, 47)),
    "rotated.mp4": (
        lambda: patched(
            video(), UPRIGHT, struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, HEIGHT << 16, 0, 1 << 30), nth=1
        ),
        (FRAMES, HEIGHT, WIDTH),
    ),
    "variable-rate.mp4": (lambda: video(gaps=True), (FRAMES, WIDTH, HEIGHT)),
    "avi-named.mp4": (lambda: video("mjpeg", form="avi"), (FRAMES, WIDTH, HEIGHT)),
    "wrong-size-in-header.mp4": (
        lambda: patched(video(), struct.pack(">HH", WIDTH, HEIGHT), struct.pack(">HH", 60_000, 60_000)),
        (FRAMES, WIDTH, HEIGHT),
    ),
}
"""By file name: its bytes; samples, width and height of what arrives."""
