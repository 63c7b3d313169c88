"""The 170 transformations."""

from __future__ import annotations

import hashlib
from collections import Counter

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dataengine.made import picture
from trainers.dnadet.transforms import (
    TRANSFORMS,
    DoubleJpeg,
    GaussianBlur,
    GaussianNoise,
    Jpeg,
    MedianBlur,
    Resample,
    apply,
)

PICTURE = picture(0, 96, 64)


def test_there_are_170_classes_of_six_families() -> None:
    counts = Counter(type(transform) for transform in TRANSFORMS)
    assert counts == {Jpeg: 24, DoubleJpeg: 24, GaussianBlur: 14, MedianBlur: 14, Resample: 80, GaussianNoise: 14}
    assert len(set(map(str, TRANSFORMS))) == 170


def test_the_order_of_the_classes_is_the_papers() -> None:
    named = {
        0: "jpeg q=30",
        23: "jpeg q=99",
        24: "double jpeg q=30,39",
        25: "double jpeg q=33,99",
        47: "double jpeg q=99,99",
        48: "gaussian blur k=3",
        61: "gaussian blur k=29",
        62: "median blur k=3",
        75: "median blur k=29",
        76: "resample nearest x0.15",
        91: "resample nearest x0.90",
        92: "resample linear x0.15",
        108: "resample cubic x0.15",
        124: "resample area x0.15",
        155: "resample lanczos4 x0.90",
        156: "gaussian noise var=10",
        169: "gaussian noise var=49",
    }
    assert {number: str(TRANSFORMS[number]) for number in named} == named
    every = hashlib.sha256("\n".join(map(str, TRANSFORMS)).encode()).hexdigest()
    assert every[:16] == "00311128047c2d46"


@pytest.mark.parametrize("number", range(len(TRANSFORMS)), ids=[str(transform) for transform in TRANSFORMS])
def test_each_changes_a_picture_and_keeps_its_shape(number: int) -> None:
    before = PICTURE.copy()
    changed = apply(TRANSFORMS[number], PICTURE, 1)
    assert (changed.shape, changed.dtype) == (PICTURE.shape, np.uint8)
    assert (changed != PICTURE).any()
    assert (before == PICTURE).all()


@given(number=st.integers(0, 169), key=st.integers(0, 2**64 - 1))
@settings(max_examples=40, deadline=None)
def test_a_transformation_is_a_function_of_the_picture_and_the_key(number: int, key: int) -> None:
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    assert (apply(TRANSFORMS[number], PICTURE, key) == apply(TRANSFORMS[number], PICTURE, key)).all()
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_noise_alone_depends_on_the_key() -> None:
    differ = {str(t) for t in TRANSFORMS if (apply(t, PICTURE, 1) != apply(t, PICTURE, 2)).any()}
    assert differ == {str(t) for t in TRANSFORMS if isinstance(t, GaussianNoise)}


@pytest.mark.parametrize("variance", [10, 49])
def test_noise_has_its_variance_and_no_mean_in_each_channel(variance: int) -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    noise = apply(GaussianNoise(variance), grey, 7).astype(np.float64) - 128
    assert np.abs(noise.mean(axis=(0, 1))).max() < 0.2
    np.testing.assert_allclose(noise.var(axis=(0, 1)), variance + 1 / 12, rtol=0.05)  # rounding adds a twelfth
    assert np.abs(np.corrcoef(noise.reshape(-1, 3).T) - np.eye(3)).max() < 0.03


def test_colours_keep_their_channels_through_compression() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    for transform in (Jpeg(99), DoubleJpeg(99, 99)):
        assert np.abs(apply(transform, red, 0).astype(int) - red).max() < 6


def test_compressing_twice_is_compressing_what_was_compressed() -> None:
    once = apply(Jpeg(45), PICTURE, 0)
    assert (apply(DoubleJpeg(45, 69), PICTURE, 0) == apply(Jpeg(69), once, 0)).all()


def test_blur_has_the_default_width_of_its_kernel() -> None:
    point = np.zeros((31, 31, 3), np.uint8)
    point[15, 15] = 255
    sigma = 0.3 * ((9 - 1) * 0.5 - 1) + 0.8
    assert (apply(GaussianBlur(9), point, 0) == cv2.GaussianBlur(point, (9, 9), sigma)).all()


def test_resampling_goes_through_a_picture_of_that_share() -> None:
    steps = apply(Resample("nearest", 0.25), picture(3, 64, 64), 0)
    assert (steps.reshape(16, 4, 16, 4, 3) == steps[::4, ::4].reshape(16, 1, 16, 1, 3)).all()
