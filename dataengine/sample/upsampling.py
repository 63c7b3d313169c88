"""Tiny image generators of four architectures: networks that double a picture's side, with random weights.

A generator is given small copies of a picture and makes the large one, as a GAN's or an autoencoder's decoder does. Its
kernels are the identity plus a random part, and its last layer is fitted to pictures in closed form: so what it makes
looks like the picture, but each pixel depends on its neighbours as the architecture lets it, and in the fine print as
the weights do. Other weights are what the literature calls another seed of the same architecture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dataengine.sample.identity import F32, U8, generator

LATENT_PX = 32
"""Side of what a generator begins with."""
STAGES = 2
SIZE_PX = LATENT_PX << STAGES
"""Side of what it makes: 128, that of DNA-Det's data."""

# Chosen by eye: the largest at which every portrait stays one.
_CHANNELS = 12
_SPREAD = 0.35  # a kernel's random part in standard deviations of what the identity hands on
_RESIDUE = 0.35  # share of the nonlinear part in what a stage hands on
_GRAIN = 0.02  # noise that each stage is given, as StyleGAN's are; the picture's range is 1
_SLOPE = 0.2  # of the leaky ReLU


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A way to double the side of a feature map."""

    name: str
    """Of the method that its pictures bear."""
    upsample: Callable[[F32, F32], F32]
    """(C, H, W) and a kernel (D, C, k, k) -> (C, 2 H, 2 W)."""
    identity: F32
    """(phases, k, k): the kernel that leaves a picture as it is; D is C times the phases."""


def nearest(x: F32, kernel: F32) -> F32:
    """Every pixel four times, then a convolution."""
    return convolve(x.repeat(2, axis=1).repeat(2, axis=2), kernel)


def bilinear(x: F32, kernel: F32) -> F32:
    """Linear interpolation, then a convolution."""
    return convolve(_resized(x, 2 * x.shape[-1], cv2.INTER_LINEAR), kernel)


def transposed(x: F32, kernel: F32) -> F32:
    """A transposed convolution, 4 x 4 with stride 2: a correlation with the map, zeros between its pixels."""
    edged = _edged(x)
    holes = np.zeros((len(x), 2 * edged.shape[1], 2 * edged.shape[2]), dtype=np.float32)
    holes[:, ::2, ::2] = edged
    return _correlate(holes, kernel)[:, :-1, :-1]


def shuffled(x: F32, kernel: F32) -> F32:
    """A convolution to four times the channels, then laid out as 2 x 2 pixels (Shi et al., CVPR 2016)."""
    channels, height, width = x.shape
    phases = convolve(x, kernel).reshape(channels, 2, 2, height, width)
    return phases.transpose(0, 3, 1, 4, 2).reshape(channels, 2 * height, 2 * width)


def convolve(x: F32, kernel: F32) -> F32:
    """A layer of 3 x 3 kernels (D, C, 3, 3) that keeps the size of (C, H, W); the edge is repeated."""
    return _correlate(_edged(x), kernel)


def _correlate(x: F32, kernel: F32) -> F32:
    side = kernel.shape[-1]
    windows = sliding_window_view(x, (side, side), axis=(1, 2))
    result: F32 = np.tensordot(kernel, windows, axes=((1, 2, 3), (0, 3, 4)))
    return result


def _edged(x: F32) -> F32:
    return np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")


def _resized(x: F32, side: int, interpolation: int) -> F32:
    return np.stack([cv2.resize(plane, (side, side), interpolation=interpolation) for plane in x])


def _outer(down: F32, across: F32) -> F32:
    return (down[:, None] * across).astype(np.float32)


_POINT: F32 = np.array([0, 1, 0], dtype=np.float32)
_TENT: F32 = np.array([0.25, 0.75, 0.75, 0.25], dtype=np.float32)
# Quadratic interpolation a quarter of a pixel to either side: of three taps, where a transposed convolution has two.
_QUARTERS: F32 = np.array([[5, 30, -3], [-3, 30, 5]], dtype=np.float32) / np.float32(32)

ARCHITECTURES = {
    made_of.name: made_of
    for made_of in (
        Architecture(name="NearestConv", upsample=nearest, identity=_outer(_POINT, _POINT)[None]),
        Architecture(name="TransposedConv", upsample=transposed, identity=_outer(_TENT, _TENT)[None]),
        Architecture(
            name="PixelShuffle",
            upsample=shuffled,
            identity=np.stack([_outer(down, across) for down in _QUARTERS for across in _QUARTERS]),
        ),
        Architecture(name="Bilinear", upsample=bilinear, identity=_outer(_POINT, _POINT)[None]),
    )
}
"""By name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """An architecture with weights: STAGES stages of C channels."""

    architecture: Architecture
    lift: F32
    """(C, 3): from colours to channels."""
    up: tuple[F32, ...]
    """What doubles the side, a stage each."""
    mix: tuple[F32, ...]
    """The 3 x 3 layer after it."""
    grain: F32
    """(stages, C): standard deviation of the noise that is added, by channel."""
    colours: F32
    """(3, C + 1): from channels, and a constant, to colours."""

    def __call__(self, picture: U8, rng: np.random.Generator) -> U8:
        """What it makes of copies of the picture (SIZE_PX, SIZE_PX, 3) of half its side and less."""
        flat = self.colours @ self._channels(picture, rng)
        rgb = flat.T.reshape(SIZE_PX, SIZE_PX, 3)
        levels: U8 = np.clip(np.rint((rgb + np.float32(0.5)) * 255), 0, 255).astype(np.uint8)
        return levels

    def fitted(self, pictures: Sequence[U8], rng: np.random.Generator) -> Generator:
        """With the last layer that makes the pictures best, in the least-squares sense."""
        made = np.concatenate([self._channels(picture, rng) for picture in pictures], axis=1)
        wanted = np.concatenate([_centred(picture).reshape(3, -1) for picture in pictures], axis=1)
        colours, *_ = np.linalg.lstsq(made.T, wanted.T, rcond=None)
        return replace(self, colours=np.ascontiguousarray(colours.T.astype(np.float32)))

    def _channels(self, picture: U8, rng: np.random.Generator) -> F32:
        """The last feature map and a constant one, (C + 1, SIZE_PX * SIZE_PX)."""
        whole = _centred(picture)
        x: F32 = np.tensordot(self.lift, _resized(whole, LATENT_PX, cv2.INTER_AREA), axes=1)
        for stage, (up, mix, grain) in enumerate(zip(self.up, self.mix, self.grain, strict=True)):
            if stage:  # what an autoencoder's skip connection tells its decoder
                x[:3] = _resized(whole, x.shape[-1], cv2.INTER_AREA)
            x = self.architecture.upsample(x, up)
            x = x + grain[:, None, None] * rng.standard_normal((1, *x.shape[1:]), dtype=np.float32)
            bent = convolve(x, mix)
            x = x + np.float32(_RESIDUE) * (np.maximum(bent, np.float32(_SLOPE) * bent) - x)
        flat = x.reshape(len(x), -1)
        return np.concatenate([flat, np.ones_like(flat[:1])])


def draw_generator(architecture: str, seed: int) -> Generator:
    """The generator of `architecture` that `seed` names, its last layer not yet fitted."""
    made_of = ARCHITECTURES[architecture]
    rng = generator("weights", architecture, seed)

    def near(identity: F32) -> F32:
        phases, side, _ = identity.shape
        kernel = rng.standard_normal((_CHANNELS, phases, _CHANNELS, side, side), dtype=np.float32)
        kernel *= np.float32(_SPREAD * np.sqrt((identity**2).sum() / phases / kernel[0, 0].size))
        for channel in range(_CHANNELS):
            kernel[channel, :, channel] += identity
        return kernel.reshape(_CHANNELS * phases, _CHANNELS, side, side)

    lift = np.float32(0.1) * rng.standard_normal((_CHANNELS, 3), dtype=np.float32)
    lift[:3] += np.eye(3, dtype=np.float32)
    return Generator(
        architecture=made_of,
        lift=lift,
        up=tuple(near(made_of.identity) for _ in range(STAGES)),
        mix=tuple(near(_outer(_POINT, _POINT)[None]) for _ in range(STAGES)),
        grain=np.float32(_GRAIN) * rng.standard_normal((STAGES, _CHANNELS), dtype=np.float32),
        colours=np.eye(3, _CHANNELS + 1, dtype=np.float32),
    )


def _centred(picture: U8) -> F32:
    """(H, W, 3) to (3, H, W), in [-0.5, 0.5]."""
    planes: F32 = picture.transpose(2, 0, 1).astype(np.float32) / np.float32(255) - np.float32(0.5)
    return planes
