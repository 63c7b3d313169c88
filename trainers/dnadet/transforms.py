"""The 170 image transformations that DNA-Det learns to tell apart before it sees a generator (arXiv 2202.13843).

Each is a class of its own, strength and all; its number is its place in TRANSFORMS, in the order of the authors' code.
Executed with OpenCV and libjpeg-turbo; noise is drawn from the counter hash, so that a picture's is the same on any
machine and after any restart.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from dataengine.order import counter_hash, uniform

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Jpeg:
    """Compression, 4:2:0 chroma, which is OpenCV's default."""

    quality: int

    def __str__(self) -> str:
        return f"jpeg q={self.quality}"


@dataclass(frozen=True, slots=True)
class DoubleJpeg:
    """Compression of a compressed picture, on the same grid."""

    first: int
    second: int

    def __str__(self) -> str:
        return f"double jpeg q={self.first},{self.second}"


@dataclass(frozen=True, slots=True)
class GaussianBlur:
    """Of the standard deviation that OpenCV takes for a kernel: 0.3 ((kernel - 1) / 2 - 1) + 0.8 pixels."""

    kernel_px: int

    def __str__(self) -> str:
        return f"gaussian blur k={self.kernel_px}"


@dataclass(frozen=True, slots=True)
class MedianBlur:
    """By channel."""

    kernel_px: int

    def __str__(self) -> str:
        return f"median blur k={self.kernel_px}"


@dataclass(frozen=True, slots=True)
class Resample:
    """Down to a share of each side and up again, both by one interpolation."""

    interpolation: str
    """Key of INTERPOLATIONS."""
    scale: float

    def __str__(self) -> str:
        return f"resample {self.interpolation} x{self.scale:.2f}"


@dataclass(frozen=True, slots=True)
class GaussianNoise:
    """Of zero mean, by pixel and channel."""

    variance: int
    """In squared levels of 255."""

    def __str__(self) -> str:
        return f"gaussian noise var={self.variance}"


Transform = Jpeg | DoubleJpeg | GaussianBlur | MedianBlur | Resample | GaussianNoise

INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos4": cv2.INTER_LANCZOS4,
}
"""OpenCV's codes 0 to 4."""

_QUALITIES = range(30, 100, 3)
# fmt: off
_SECOND_QUALITIES = (
    39, 99, 36, 93, 60, 75, 81, 39, 63, 69, 60, 87, 90, 48, 81, 75, 72, 78, 54, 33, 81, 30, 36, 99,
)  # the authors' draw; it is part of the classes
# fmt: on
_KERNELS = range(3, 30, 2)
_PERCENTS = range(15, 91, 5)
_VARIANCES = range(10, 50, 3)

TRANSFORMS: tuple[Transform, ...] = (
    *(Jpeg(quality) for quality in _QUALITIES),
    *(DoubleJpeg(*qualities) for qualities in zip(_QUALITIES, _SECOND_QUALITIES, strict=True)),
    *(GaussianBlur(kernel) for kernel in _KERNELS),
    *(MedianBlur(kernel) for kernel in _KERNELS),
    *(Resample(how, percent / 100) for how in INTERPOLATIONS for percent in _PERCENTS),
    *(GaussianNoise(variance) for variance in _VARIANCES),
)
"""24 + 24 + 14 + 14 + 80 + 14 = 170; `str` of one is the name of its class."""


def apply(transform: Transform, image: Pixels, key: int) -> Pixels:
    """The transformed copy of an RGB picture (H, W, 3), uint8, of the same shape.

    `key` is what noise is drawn from; all else is a function of the picture alone.
    """
    match transform:
        case Jpeg(quality):
            return _compressed(image, quality)
        case DoubleJpeg(first, second):
            return _compressed(_compressed(image, first), second)
        case GaussianBlur(kernel):
            return np.asarray(cv2.GaussianBlur(image, (kernel, kernel), 0), dtype=np.uint8)
        case MedianBlur(kernel):
            return np.asarray(cv2.medianBlur(image, kernel), dtype=np.uint8)
        case Resample(how, scale):
            return _resampled(image, INTERPOLATIONS[how], scale)
        case GaussianNoise(variance):
            noisy = image + np.sqrt(variance) * _normal(image.size, key).reshape(image.shape)
            return np.asarray(np.clip(np.rint(noisy), 0, 255), dtype=np.uint8)


def _compressed(image: Pixels, quality: int) -> Pixels:
    """Encoded by OpenCV and decoded by simplejpeg, as augmentation does it: simplejpeg's encoder has a coarser DCT."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    return np.asarray(simplejpeg.decode_jpeg(encoded, "RGB", fastdct=False, fastupsample=False), dtype=np.uint8)


def _resampled(image: Pixels, interpolation: int, scale: float) -> Pixels:
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=interpolation
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=interpolation), dtype=np.uint8)


def _normal(count: int, key: int) -> npt.NDArray[np.float64]:
    """`count` numbers of N(0, 1), by Box and Muller's transform: two of each pair of uniform ones."""
    pairs = (count + 1) // 2
    words = counter_hash(key, np.arange(2 * pairs, dtype=np.int64))
    radius = np.sqrt(-2.0 * np.log1p(-uniform(words[:pairs])))
    angle = 2.0 * np.pi * uniform(words[pairs:])
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
