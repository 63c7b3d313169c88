"""Tiny generators: each architecture computes what its name says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from dataengine.sample.upsampling import ARCHITECTURES, SIZE_PX, bilinear, draw_generator, nearest, shuffled, transposed
from tests.dataengine.made import picture

RNG = np.random.default_rng(0)
MAP = RNG.standard_normal((3, 8, 8)).astype(np.float32)


def parabola(at: np.ndarray) -> np.ndarray:
    """A quadratic function of the place, in three channels."""
    down, across = at[:, None], at[None, :]
    return np.stack([down**2 + across, down * across, across**2 / 2 - down]).astype(np.float32) / 9


SMOOTH = parabola(np.arange(8, dtype=np.float32))


def kernel(outputs: int, side: int) -> np.ndarray:
    return RNG.standard_normal((outputs, 3, side, side)).astype(np.float32)


def edged(x: torch.Tensor) -> torch.Tensor:
    return functional.pad(x, (1, 1, 1, 1), mode="replicate")


def test_each_is_torchs_operation() -> None:
    x, three, four, phases = torch.from_numpy(MAP)[None], kernel(3, 3), kernel(3, 4), kernel(12, 3)

    def convolved(maps: torch.Tensor, weights: np.ndarray) -> torch.Tensor:
        return functional.conv2d(edged(maps), torch.from_numpy(weights))[0]

    large = {how: functional.interpolate(x, scale_factor=2, mode=how) for how in ("nearest", "bilinear")}
    turned = torch.from_numpy(four).flip((2, 3)).transpose(0, 1).contiguous()
    wanted = {
        nearest: convolved(large["nearest"], three),
        bilinear: convolved(large["bilinear"], three),
        transposed: functional.conv_transpose2d(edged(x), turned, stride=2, padding=1)[0, :, 2:-2, 2:-2],
        shuffled: functional.pixel_shuffle(convolved(x, phases)[None], 2)[0],
    }
    for upsample, weights in ((nearest, three), (bilinear, three), (transposed, four), (shuffled, phases)):
        np.testing.assert_allclose(upsample(MAP, weights), wanted[upsample].numpy(), atol=1e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_identity_only_enlarges(name: str) -> None:
    architecture = ARCHITECTURES[name]
    phases, side, _ = architecture.identity.shape
    weights = np.zeros((3, phases, 3, side, side), dtype=np.float32)
    for channel in range(3):
        weights[channel, :, channel] = architecture.identity
    large = architecture.upsample(SMOOTH, weights.reshape(3 * phases, 3, side, side))
    if name == "PixelShuffle":  # quadratic interpolation, exact for a parabola
        fine = np.arange(16, dtype=np.float32) / 2 - 0.25
        np.testing.assert_allclose(large[:, 2:-2, 2:-2], parabola(fine)[:, 2:-2, 2:-2], atol=1e-4)
    else:
        mode = "nearest" if name == "NearestConv" else "bilinear"
        wanted = functional.interpolate(torch.from_numpy(SMOOTH)[None], scale_factor=2, mode=mode)[0]
        np.testing.assert_allclose(large, wanted.numpy(), atol=1e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_fitted_generator_gives_the_picture_back_nearly_and_another_seed_differs(name: str) -> None:
    pictures = [picture(i, SIZE_PX, SIZE_PX) for i in range(3)]
    one, other = (draw_generator(name, seed).fitted(pictures, np.random.default_rng(seed)) for seed in (0, 1))
    shown = picture(9, SIZE_PX, SIZE_PX)
    made, again, others = (which(shown, np.random.default_rng(5)) for which in (one, one, other))
    assert (made.shape, made.dtype) == (shown.shape, np.uint8)
    assert (made == again).all()
    assert 1 < np.abs(made.astype(int) - shown).mean() < 12
    assert (made != others).mean() > 0.5
    assert replace(one, architecture=other.architecture).architecture is ARCHITECTURES[name]
