"""The cpu backend's decoding."""

from __future__ import annotations

import numpy as np
import pytest

from dataengine.augment import PRESETS, draw
from dataengine.backends.cpu import Scratch, decode_image, decode_sample
from dataengine.errors import MediaError
from tests.dataengine.made import jpeg, picture, png


def test_a_png_is_decoded_to_the_very_pixels() -> None:
    image = picture(0, 60, 50)
    assert (decode_image(memoryview(png(image)), Scratch()) == image).all()


def test_one_buffer_serves_images_of_any_size() -> None:
    scratch = Scratch()
    for width, height in [(20, 30), (200, 100), (10, 10)]:
        image = picture(1, width, height)
        decoded = decode_image(memoryview(jpeg(image)), scratch)
        assert np.abs(decoded.astype(int) - image).mean() < 3


@pytest.mark.parametrize("make", [jpeg, png])
def test_a_cut_off_image_is_refused(make: object) -> None:
    data = make(picture(2, 120, 120))
    with pytest.raises(MediaError, match="cannot be decoded"):
        decode_image(memoryview(data[: len(data) // 3]), Scratch())


def test_zeros_in_the_middle_of_a_jpeg_are_refused() -> None:
    data = bytearray(jpeg(picture(2, 120, 120)))
    data[len(data) // 2 : len(data) // 2 + 300] = bytes(300)
    with pytest.raises(MediaError, match="cannot be decoded"):
        decode_image(memoryview(data), Scratch())


def test_bytes_of_no_known_format_are_refused() -> None:
    with pytest.raises(MediaError, match="no known format"):
        decode_image(memoryview(b"not an image at all"), Scratch())


def test_an_image_smaller_than_its_index_says_is_refused() -> None:
    drawn = draw(PRESETS["none"], 0, 0, np.array([0]), np.array([[0]]), np.array([90]), np.array([90]))
    out = np.empty((1, 32, 32, 3), np.uint8)
    with pytest.raises(MediaError, match="40 x 40 px"):
        decode_sample(memoryview(jpeg(picture(0))), drawn, 0, out, Scratch())


def test_a_flip_mirrors_the_window_left_to_right() -> None:
    drawn = draw(PRESETS["flip"], 0, 0, np.arange(64), np.array([[0]]), np.full(64, 40), np.full(64, 40))
    data = memoryview(jpeg(picture(3)))
    kept, mirrored = (int(np.flatnonzero(drawn.flip[0] == flip)[0]) for flip in (False, True))
    images = np.empty((2, 1, 32, 32, 3), np.uint8)
    for image, place in zip(images, (kept, mirrored), strict=True):
        decode_sample(data, drawn, place, image, Scratch())
    assert (images[0, 0, :, ::-1] == images[1, 0]).all()
