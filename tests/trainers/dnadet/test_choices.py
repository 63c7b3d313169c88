"""What pre-training does at a position."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dataengine.made import picture
from trainers.dnadet.choices import CROP_PX, choose, crop
from trainers.dnadet.transforms import TRANSFORMS


def sides(count: int, px: int) -> np.ndarray:
    return np.full(count, px, dtype=np.int64)


@given(
    positions=st.lists(st.integers(0, 2**40), min_size=1, max_size=9),
    seed=st.integers(-(2**40), 2**40),
    epoch=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_a_choice_depends_on_its_own_position_alone(positions: list[int], seed: int, epoch: int) -> None:
    together = choose(seed, epoch, np.array(positions), sides(len(positions), 300), sides(len(positions), 200))
    for i, position in enumerate(positions):
        alone = choose(seed, epoch, np.array([position]), sides(1, 300), sides(1, 200))
        for name in ("transform", "left", "top", "noise"):
            assert getattr(together, name)[i] == getattr(alone, name)[0]


def test_every_transformation_is_drawn_equally_often() -> None:
    drawn = choose(0, 0, np.arange(170 * 200), sides(170 * 200, 128), sides(170 * 200, 128)).transform
    counts = np.bincount(drawn, minlength=len(TRANSFORMS))
    assert len(counts) == len(TRANSFORMS)
    chi_squared = float(((counts - 200) ** 2 / 200).sum())
    assert chi_squared < 237  # 0.9995 of the distribution with 169 degrees of freedom lies below


def test_another_epoch_or_seed_draws_anew() -> None:
    def drawn(seed: int, epoch: int) -> np.ndarray:
        return choose(seed, epoch, np.arange(100), sides(100, 128), sides(100, 128)).transform

    assert (drawn(0, 0) != drawn(0, 1)).mean() > 0.9
    assert (drawn(0, 0) != drawn(1, 0)).mean() > 0.9


@given(width=st.integers(1, 400), height=st.integers(1, 400), position=st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_a_crop_of_any_picture_is_of_one_size_and_inside_where_it_fits(width: int, height: int, position: int) -> None:
    chosen = choose(0, 0, np.array([position]), sides(1, width), sides(1, height))
    left, top = int(chosen.left[0]), int(chosen.top[0])
    assert 0 <= left <= max(0, width - CROP_PX)
    assert 0 <= top <= max(0, height - CROP_PX)
    image = picture(1, width, height)
    window = crop(image, left, top)
    assert window.shape == (CROP_PX, CROP_PX, 3)
    there = image[top : top + CROP_PX, left : left + CROP_PX]
    assert (window[: there.shape[0], : there.shape[1]] == there).all()


def test_every_corner_of_a_larger_picture_is_reached() -> None:
    chosen = choose(0, 0, np.arange(2000), sides(2000, CROP_PX + 2), sides(2000, CROP_PX + 1))
    assert set(zip(chosen.left.tolist(), chosen.top.tolist(), strict=True)) == {
        (x, y) for x in range(3) for y in range(2)
    }


@pytest.mark.parametrize("side", [CROP_PX - 1, 80])
def test_a_smaller_picture_is_mirrored_not_scaled(side: int) -> None:
    image = picture(2, side, CROP_PX)
    window = crop(image, 0, 0)
    missing = CROP_PX - side
    assert (window[:, side:] == image[:, side - 1 - missing : side - 1][:, ::-1]).all()
