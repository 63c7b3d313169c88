"""What is told of an encoded image before it is decoded."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from dataengine.backends.headers import check_size
from dataengine.errors import MediaError
from tests.dataengine.made import jpeg, picture, png


@pytest.mark.parametrize(("subsampling", "colours"), [("444", "YCbCr"), ("420", "YCbCr"), ("Gray", "Gray")])
def test_a_jpeg_is_known_by_its_own_size_alone(subsampling: str, colours: str) -> None:
    data = memoryview(jpeg(picture(0, width=48, height=40), subsampling))
    assert check_size(data, 48, 40) == colours
    with pytest.raises(MediaError, match="image is 48 x 40 px, but 40 x 48 px in the index"):
        check_size(data, 40, 48)


def test_a_progressive_jpeg_and_a_png_have_their_sizes_read() -> None:
    _, data = cv2.imencode(".jpg", picture(0), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1))
    assert check_size(memoryview(data.tobytes()), 40, 40) == "YCbCr"
    assert check_size(memoryview(png(np.zeros((40, 30, 3), np.uint8))), 30, 40) == ""


def test_a_header_that_is_cut_off_is_refused() -> None:
    whole = jpeg(picture(0))
    for end in range(2, whole.index(b"\xff\xc0")):
        with pytest.raises(MediaError, match="JPEG cannot be decoded"):
            check_size(memoryview(whole[:end]), 40, 40)


def _frame(width: int, height: int) -> bytes:
    return b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes((1, 17, 0, 2, 17, 0, 3, 17, 0))


def test_a_frame_behind_a_fill_byte_is_the_one_that_counts() -> None:
    data = jpeg(picture(0))
    at = data.index(b"\xff\xc0")
    giant = data[:at] + b"\xff" + _frame(20000, 20000) + data[at + len(_frame(0, 0)) :]
    landing = at + 2 + 0xC000  # taking the fill byte for the marker, and the marker for the length
    lying = giant + bytes(landing - len(giant)) + _frame(40, 40)
    with pytest.raises(MediaError, match="20000 x 20000"):
        check_size(memoryview(lying), 40, 40)
