"""What is told of an encoded image before it is decoded."""

from __future__ import annotations

import struct
from contextlib import suppress

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st

from dataengine.backends.headers import check_size, is_plain_jpeg
from dataengine.errors import MediaError
from tests.dataengine.made import jpeg, picture, png


@pytest.mark.parametrize("subsampling", ["444", "420", "Gray"])
def test_a_plain_jpeg_is_known_by_its_own_size_alone(subsampling: str) -> None:
    data = memoryview(jpeg(picture(0, width=48, height=40), subsampling))
    assert is_plain_jpeg(data, 48, 40)
    assert not is_plain_jpeg(data, 40, 48)


def test_a_progressive_jpeg_is_plain() -> None:
    _, data = cv2.imencode(".jpg", picture(0), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1))
    assert is_plain_jpeg(memoryview(data.tobytes()), 40, 40)


def test_what_cannot_be_told_is_not_plain() -> None:
    whole = jpeg(picture(0))
    frame = whole.index(b"\xff\xc0")
    inks = bytearray(whole)
    inks[frame + 9] = 4
    no_end = bytes(2 + len(whole[2:frame])).replace(b"\0", b"\xff")
    for data in (b"", whole[:2], whole[: frame + 6], png(np.zeros((40, 40, 3), np.uint8)), bytes(inks), no_end):
        assert not is_plain_jpeg(memoryview(data), 40, 40)
    for end in range(whole.index(b"\xff\xda")):
        assert not is_plain_jpeg(memoryview(whole[:end]), 40, 40)


def _frame(width: int, height: int) -> bytes:
    return b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes((1, 17, 0, 2, 17, 0, 3, 17, 0))


def test_a_frame_that_a_fill_byte_hides_from_a_walk_is_not_passed_over() -> None:
    data = jpeg(picture(0))
    at = data.index(b"\xff\xc0")
    giant = data[:at] + b"\xff" + _frame(20000, 20000) + data[at + len(_frame(0, 0)) :]
    landing = at + 2 + 0xC000  # taking the fill byte for the marker, and the marker for the length
    lying = giant + bytes(landing - len(giant)) + _frame(40, 40)
    assert not is_plain_jpeg(memoryview(lying + data[data.index(b"\xff\xda") :]), 40, 40)
    with pytest.raises(MediaError, match="20000 x 20000"):
        check_size(memoryview(lying), 40, 40)


def test_zeros_behind_a_jpegs_first_bytes_are_not_walked_through() -> None:
    end = jpeg(picture(0))
    end = end[end.index(b"\xff\xc0") :]
    assert not is_plain_jpeg(memoryview(b"\xff\xd8" + bytes(1 << 20) + b"\0\2" + end), 40, 40)


@given(st.data())
def test_what_is_plain_libjpeg_gives_the_same_size(draw: st.DataObject) -> None:
    data = bytearray(jpeg(picture(0)))
    header = data.index(b"\xff\xda")
    for _ in range(draw.draw(st.integers(1, 3))):
        at = draw.draw(st.integers(2, header))
        new = draw.draw(st.sampled_from((b"\xff", b"\0", b"\xff\xff", b"\xff\xc0", b"\xff\xd0\0\1", b"\xff\xe0\0\0")))
        data[at : at + draw.draw(st.integers(0, 2))] = new
    if is_plain_jpeg(memoryview(data), 40, 40):
        with suppress(ValueError):  # unreadable, as in a table: which is not of another size
            assert simplejpeg.decode_jpeg_header(data)[:2] == (40, 40)
