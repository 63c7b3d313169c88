"""An encoded image's size, read before anything is decoded: both backends refuse a lying header alike."""

from __future__ import annotations

import simplejpeg

from dataengine.errors import MediaError

JPEG = b"\xff\xd8"
"""How a JPEG begins, whatever the sample's file is called."""
CMYK = ("CMYK", "YCCK")
"""Colour spaces of four inks. Decoders differ in when they take a JPEG's inks for inverted, as Adobe stores them."""
_PNG = b"\x89PNG\r\n\x1a\n"


def jpeg_size(data: memoryview) -> tuple[int, int]:
    """Width and height in pixels; raises MediaError where the header cannot be read."""
    return _jpeg_header(data)[0]


def check_size(data: memoryview, width: int, height: int) -> str:
    """Raise MediaError where a JPEG's or PNG's header cannot be read or differs from the index's `width` x `height`.

    A header of 60,000 x 60,000 px would have a decoder ask for 10 GB. Other formats are rare, and pass. Returns a
    JPEG's colour space ("YCbCr", "Gray", "RGB", or one of CMYK), "" for other formats.
    """
    colours = ""
    if data[:2] == JPEG:
        found, colours = _jpeg_header(data)
    elif data[:8] == _PNG and len(data) >= 24:
        found = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    else:
        return colours
    if found != (width, height):
        raise MediaError(f"image is {found[0]} x {found[1]} px, but {width} x {height} px in the index")
    return colours


def _jpeg_header(data: memoryview) -> tuple[tuple[int, int], str]:
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        raise MediaError(f"JPEG cannot be decoded: {error}") from None
    return (width, height), colours
