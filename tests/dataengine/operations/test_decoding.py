"""The decoders that judge stored images."""

from __future__ import annotations

import sys

import pytest

from dataengine.operations.decoding import DaliDecoder, Decoders, Image
from tests.dataengine.made import jpeg, picture, png

GOOD, PNG = jpeg(picture(1)), png(picture(2))
CUT = GOOD[:300]
DEVICES = ["cpu", pytest.param("mixed", marks=pytest.mark.gpu)]


def test_a_cut_image_of_any_format_is_refused_and_a_good_one_is_not() -> None:
    images = [("jpeg", GOOD), ("png", PNG), ("cut jpeg", CUT), ("cut png", PNG[:300]), ("text", b"no image")]
    with Decoders() as decoders:
        refused = decoders.failures([Image(key, data, 40, 40) for key, data in images])
    assert [key for key, _ in refused] == ["cut jpeg", "cut png", "text"]


def test_a_header_that_claims_a_bomb_is_refused_unread() -> None:
    bomb = bytearray(PNG)
    bomb[16:24] = (60_000).to_bytes(4) * 2
    with Decoders() as decoders:
        ((_, reason),) = decoders.failures([Image("bomb", bytes(bomb), 40, 40)])
    assert reason == "image is 60000 x 60000 px, but 40 x 40 px in the index"


@pytest.mark.skipif(sys.platform != "linux", reason="DALI exists for Linux alone")
@pytest.mark.parametrize("device", DEVICES)
def test_dali_says_which_of_a_batch_it_refuses_and_goes_on(device: str) -> None:
    decoder = DaliDecoder(device)
    assert decoder.failures([GOOD, GOOD]) == ["", ""]
    first, second, third = decoder.failures([GOOD, CUT, GOOD])
    assert (first, third) == ("", "")
    assert second.startswith("DALI cannot decode it: ")
    assert decoder.failures([GOOD]) == [""]
