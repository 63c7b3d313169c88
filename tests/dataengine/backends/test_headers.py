"""What is told of an encoded image before it is decoded."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dataengine.backends.headers import is_plain_jpeg
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
    for end in range(frame + 10):
        assert not is_plain_jpeg(memoryview(whole[:end]), 40, 40)
