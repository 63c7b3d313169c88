"""Frames of a video, evenly spaced and decoded one at a time; and image files, checked as they are read."""

from __future__ import annotations

import io
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
from av.sidedata.sidedata import Type as SideData
from av.video.reformatter import Interpolation, VideoReformatter
from PIL import Image

from dataengine.errors import MediaError

MAX_PIXELS = 100_000_000
"""Of one image: decoding it takes three bytes a pixel. The largest sensors of cameras have as many."""

CONTAINERS = "mov,matroska,avi,mpeg,mpegts,mpegvideo,m4v,h264,hevc,asf,flv,ogg"
"""Formats that a video file may have, as FFmpeg names its demultiplexers: those that hold the video themselves."""

Pixels = npt.NDArray[np.uint8]
"""An RGB image, (height, width, 3)."""

_SILENT = 0
_opencv_log = cv2.utils.logging if hasattr(cv2.utils, "logging") else cv2  # OpenCV 5, and 4
_opencv_log.setLogLevel(_SILENT)  # what is wrong with an image is said once, as its clip's reason

_TO_RGB = (
    Interpolation.BILINEAR.value
    | Interpolation.FULL_CHR_H_INT.value
    | Interpolation.ACCURATE_RND.value
    | Interpolation.BITEXACT.value
)
"""How YUV becomes RGB. The scaler's fast default repeats chroma in blocks and is 0.8 of 255 off in the mean; these
flags stay within 1 of exact arithmetic and give the same bytes on every processor (4 ms for a 1280x720 frame)."""


def frame_indices(num_frames: int, n: int) -> list[int]:
    """At most `n` frame indices spread evenly over all of a clip's `num_frames`: floor((i + 0.5) * num_frames / n)."""
    if num_frames <= n:
        return list(range(num_frames))
    return [(2 * i + 1) * num_frames // (2 * n) for i in range(n)]


def frames_within(ranges: Sequence[tuple[int, int]], num_frames: int, n: int) -> list[int]:
    """At most `n` of the frames in `ranges` ([start, stop), ascending) of a video, spread evenly over them together.

    () is the whole video; what lies behind its end is left out.
    """
    parts = [range(start, min(stop, num_frames)) for start, stop in ranges] if ranges else [range(num_frames)]
    bounds = [0]
    for part in parts:
        bounds.append(bounds[-1] + len(part))
    spread = frame_indices(bounds[-1], n)
    part_of = [bisect_right(bounds, position) - 1 for position in spread]
    return [parts[k][position - bounds[k]] for position, k in zip(spread, part_of, strict=True)]


def count_frames(path: str | Path) -> int:
    """The number of frames a player shows of a video: what the container says, or its packets counted.

    In an mp4, frames that the edit list hides are left out. A clip cut out without re-encoding carries those from the
    last keyframe before the cut; the container counts them, and they are never decoded.

    Raises:
        MediaError: the file is missing, empty, no video, or holds no frames.
    """
    with opened_video(path) as (container, stream):
        frames: int = stream.frames
        if not frames:
            frames = sum(packet.size > 0 for packet in container.demux(stream))
        elif "mp4" in container.format.name:
            frames = sum(not entry.is_discard for entry in stream.index_entries)
    if frames < 1:
        raise MediaError(f"{path}: the video stream holds no frames; replace the file")
    return frames


def decode_frames(
    path: str | Path, indices: Sequence[int], *, num_frames: int, threads: int = 1
) -> Iterator[tuple[int, Pixels]]:
    """The frames at `indices` (ascending) as (index, RGB uint8 (height, width, 3)), upright, one at a time.

    Only frames asked for become RGB, and nothing is decoded behind the last of them. A video that ends or breaks
    early gives what it has, as long as no more than max(1, 5 %) of its `num_frames` (`count_frames`) are lost.

    Raises:
        MediaError: the file cannot be opened, or is truncated by more than that.
    """
    wanted = iter(indices)
    target = next(wanted, None)
    if target is None:
        return
    decoded, cause = 0, "its data end"
    reformatter = VideoReformatter()
    with opened_video(path) as (container, stream):
        stream.codec_context.thread_count = threads
        stream.codec_context.thread_type = "AUTO"
        try:
            for frame in container.decode(stream):
                if decoded == target:
                    rgb = reformatter.reformat(frame, format="rgb24", interpolation=_TO_RGB, threads=1)
                    yield decoded, upright(np.asarray(rgb.to_ndarray(), np.uint8), frame)
                    target = next(wanted, None)
                    if target is None:
                        return
                decoded += 1
        except av.FFmpegError as error:
            cause = error.strerror
    if decoded == 0 or num_frames - decoded > max(1, num_frames // 20):
        raise MediaError(f"{path}: truncated, {decoded} of {num_frames} frames decode ({cause}); replace the file")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """An image file that decodes in full."""

    data: bytes
    """As it lies on disk."""
    ext: str
    """What the bytes are, whatever the file's name says: jpg, png, webp, bmp or tif."""
    width: int
    height: int
    """As stored, in pixels, before any orientation tag is applied."""

    def pixels(self) -> Pixels:
        """The image as a viewer shows it: turned as its orientation tag says, 8 bits, without transparency."""
        image = cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_COLOR)
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def read_image(path: str | Path) -> ImageFile:
    """Read an image file and decode it once, so that what is stored is known to be readable.

    A JPEG is decoded strictly: other decoders fill a damaged one up with grey and say nothing.

    Raises:
        MediaError: the file is missing, empty, of an unknown format, or damaged.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise MediaError(f"{path}: {error.strerror}; check the path and its permissions") from None
    return checked_image(data, path)


def checked_image(data: bytes, path: str | Path) -> ImageFile:
    """The bytes of an image file, decoded once; `path` names them in a MediaError (see `read_image`).

    Refused is, too, an image whose header claims more than MAX_PIXELS: decoding it would take gigabytes.
    """
    if not data:
        raise MediaError(f"{path}: the file is empty; replace it")
    ext = _image_format(data)
    if ext is None:
        raise MediaError(f"{path}: not a JPEG, PNG, WebP, BMP or TIFF image; convert or remove it")
    try:
        width, height = _claimed_size(data, ext)
        if width * height > MAX_PIXELS:
            raise MediaError(f"{path}: claims over {MAX_PIXELS:,} px, more than any camera gives; replace the file")
        if ext == "jpg":
            image = simplejpeg.decode_jpeg(data, "RGB", strict=True)
        else:
            flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except MediaError:
        raise
    except (ValueError, OSError, SyntaxError, cv2.error):  # Pillow calls a broken PNG a SyntaxError
        image = None
    if image is None:
        raise MediaError(f"{path}: damaged, the {ext} image does not decode; replace the file")
    height, width = image.shape[:2]
    return ImageFile(data=data, ext=ext, width=width, height=height)


def _claimed_size(data: bytes, ext: str) -> tuple[int, int]:
    """Width and height as an image's header has them. Raises ValueError, OSError or SyntaxError for a broken one."""
    if ext == "jpg":
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        return width, height
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of large images, which are refused here
        try:
            with Image.open(io.BytesIO(data)) as image:
                return image.size
        except Image.DecompressionBombError:
            return MAX_PIXELS, 2


def _image_format(data: bytes) -> str | None:
    if data.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith(b"BM"):
        return "bmp"
    if data.startswith((b"II*\0", b"MM\0*")):
        return "tif"
    return None


@contextmanager
def opened_video(path: str | Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The container and its first video stream; whatever is wrong with them as a MediaError."""
    try:
        if Path(path).stat().st_size == 0:
            raise MediaError(f"{path}: the file is empty; replace it")
        # A list of other files or URLs (HLS, ffconcat, DASH) is a video to the library, whatever the file is called.
        options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
        with av.open(f"file:{path}", options=options) as container:
            stream = container.streams.best("video")
            if stream is None:
                raise MediaError(f"{path}: no video stream in the file; remove it")
            if stream.codec_context is None:
                raise MediaError(f"{path}: nothing here decodes its video codec; convert it to H.264")
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            yield container, stream
    except (av.InvalidDataError, av.ArgumentError, av.EOFError):
        raise MediaError(f"{path}: not a video, or cut off before its index; replace the file") from None
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"{path}: {error.strerror}; check the path and its permissions") from None


def upright(rgb: Pixels, frame: av.VideoFrame) -> Pixels:
    """Turn and mirror an image as the frame's display matrix says (to the nearest quarter turn)."""
    display = frame.side_data.get(SideData.DISPLAYMATRIX)
    if display is None:
        return rgb
    # A point (x, y) is shown at (a x + c y, b x + d y); rows of the matrix are (a, b, 0), (c, d, 0), (tx, ty, 1).
    a, b, _, c, d = np.frombuffer(display, np.int32)[:5].astype(np.int64)
    if abs(b) + abs(c) > abs(a) + abs(d):
        rgb, right, down = rgb.transpose(1, 0, 2), c, b
    else:
        right, down = a, d
    return np.ascontiguousarray(rgb[:: -1 if down < 0 else 1, :: -1 if right < 0 else 1])
