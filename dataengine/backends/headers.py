"""An encoded image's size, read before anything is decoded: both backends refuse a lying header alike."""

from __future__ import annotations

import struct

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


_FRAME = struct.Struct(">BHHB")  # bits, height, width, colours
_SEGMENT = struct.Struct(">HH")  # a marker and the length of what follows it
_FRAMES = frozenset((0xFFC0, 0xFFC1, 0xFFC2))  # Huffman-coded: baseline, extended, progressive
_SCAN = 0xFFDA
_TABLES = frozenset((0xFFC4, 0xFFDB, 0xFFDD, 0xFFFE, *range(0xFFE0, 0xFFF0)))  # and comments, and applications' own


def is_plain_jpeg(data: memoryview, width: int, height: int) -> bool:
    """Whether this is a JPEG of `width` x `height` px in one or three colours of 8 bits, its header without a gap up to
    the first scan; False says nothing.

    Quicker than libjpeg-turbo's reading of a header, which all other Python threads wait for. Where that would look
    for the next marker this gives up: a decoder could find another frame, of another size, than this does.
    """
    at, fits = 2, False
    try:
        while data[:2] == JPEG:
            marker, length = _SEGMENT.unpack_from(data, at)
            if marker in _FRAMES and not fits:
                bits, high, wide, colours = _FRAME.unpack_from(data, at + 4)
                fits = (bits, wide, high) == (8, width, height) and colours in (1, 3)
                if not fits:
                    break
            elif marker not in _TABLES:
                return fits and marker == _SCAN
            at += 2 + length
    except struct.error:
        pass
    return False
