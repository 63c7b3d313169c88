"""Images that are broken, odd or hostile, and what becomes of each."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from tests.bad_inputs.videos import patched, zeroed

SIZE = (40, 32)
HUGE = 60_000


def saved(form: str, mode: str = "RGB", *, seed: int = 0, **options: object) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def animated(form: str) -> bytes:
    frames = [Image.fromarray(np.full((32, 40, 3), grey, np.uint8)) for grey in (0, 90, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, form, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    data = saved("PNG")
    header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def jpeg_of_size(width: int, height: int) -> bytes:
    data = saved("JPEG")
    return patched(data, struct.pack(">HH", SIZE[1], SIZE[0]), struct.pack(">HH", height, width))


def bmp_of_size(width: int, height: int) -> bytes:
    return patched(saved("BMP"), struct.pack("<ii", *SIZE), struct.pack("<ii", width, height))


def webp_of_size(width: int, height: int) -> bytes:
    """An extended WebP whose canvas claims a size."""
    inner = saved("WEBP")[12:]
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (width - 1).to_bytes(3, "little")
    body = b"WEBP" + canvas + (height - 1).to_bytes(3, "little") + inner
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff_of_size(width: int, height: int) -> bytes:
    data = saved("TIFF")
    for tag, old, new in ((256, SIZE[0], width), (257, SIZE[1], height)):
        entry = next(struct.pack("<HHI", tag, kind, 1) for kind in (3, 4) if struct.pack("<HHI", tag, kind, 1) in data)
        at = data.index(entry)
        assert struct.unpack_from("<I", data, at + 8)[0] == old
        data = data[:at] + struct.pack("<HHII", tag, 4, 1, new) + data[at + 12 :]
    return data


def with_orientation() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved("JPEG", exif=exif)


def png_16_bits() -> bytes:
    return bytes(cv2.imencode(".png", np.full((SIZE[1], SIZE[0], 3), 40_000, np.uint16))[1].tobytes())


CLAIMS = "claims over 100,000,000 px, more than any camera gives"

BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty.jpg": (lambda: b"", "the file is empty; replace it"),
    "text.jpg": (lambda: b"<html>Sign in</html>", "not a JPEG, PNG, WebP, BMP or TIFF image"),
    "drawing.png": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not a JPEG, PNG"),
    "animation.png": (lambda: animated("GIF"), "not a JPEG, PNG"),
    "huge.jpg": (lambda: jpeg_of_size(HUGE, HUGE), CLAIMS),
    "huge.png": (lambda: png_of_size(HUGE, HUGE), CLAIMS),
    "huge.bmp": (lambda: bmp_of_size(HUGE, HUGE), CLAIMS),
    "huge.webp": (lambda: webp_of_size(HUGE, HUGE), CLAIMS),
    "huge.tif": (lambda: tiff_of_size(HUGE, HUGE), CLAIMS),
    "no-size.png": (lambda: png_of_size(0, 0), "damaged, the png image does not decode"),
    "cut.jpg": (lambda: saved("JPEG")[:-200], "damaged, the jpg image does not decode"),
    "cut.png": (lambda: saved("PNG")[:-800], "damaged, the png image does not decode"),
    "cut.webp": (lambda: saved("WEBP")[:-100], "damaged, the webp image does not decode"),
    "cut.bmp": (lambda: saved("BMP")[:-800], "damaged, the bmp image does not decode"),
    "cut.tif": (lambda: saved("TIFF")[:-800], "damaged, the tif image does not decode"),
    "header-alone.jpg": (lambda: saved("JPEG")[:20], "damaged, the jpg image does not decode"),
    "zeros-in-the-middle.jpg": (lambda: zeroed(saved("JPEG"), 0.6, 0.9), "damaged, the jpg image does not decode"),
    "zeros-in-the-middle.png": (lambda: zeroed(saved("PNG"), 0.4, 0.8), "damaged, the png image does not decode"),
}
"""By file name: its bytes, and what the reason of its failure says."""

ODD: dict[str, tuple[Callable[[], bytes], str]] = {
    "good.jpg": (lambda: saved("JPEG"), "jpg"),
    "png-named.jpg": (lambda: saved("PNG"), "png"),
    "cmyk.jpg": (lambda: saved("JPEG", "CMYK"), "jpg"),
    "grey.jpg": (lambda: saved("JPEG", "L"), "jpg"),
    "progressive.jpg": (lambda: saved("JPEG", progressive=True), "jpg"),
    "turned.jpg": (with_orientation, "jpg"),
    "16-bits.png": (png_16_bits, "png"),
    "1-bit.png": (lambda: saved("PNG", "1"), "png"),
    "palette.png": (lambda: saved("PNG", "P"), "png"),
    "animated-png.png": (lambda: animated("PNG"), "png"),
    "animated-webp.png": (lambda: animated("WEBP"), "webp"),
}
"""By file name: its bytes, and the ending under which they are stored, untouched."""
