"""Draws of augmentation parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.augment import PRESETS, Augment, augment_preset, draw
from dataengine.errors import DfxError

SIDES = st.integers(1, 700)


@given(
    name=st.sampled_from(sorted(PRESETS)), seed=st.integers(0, 2**63), position=st.integers(0, 2**40), w=SIDES, h=SIDES
)
def test_a_window_lies_inside_its_image_whatever_the_image(name: str, seed: int, position: int, w: int, h: int) -> None:
    drawn = draw(PRESETS[name], seed, 3, np.array([position]), 0, np.array([w]), np.array([h]))
    assert 0 <= drawn.x[0] <= drawn.x[0] + drawn.w[0] <= w
    assert 0 <= drawn.y[0] <= drawn.y[0] + drawn.h[0] <= h
    assert drawn.w[0] >= 1
    assert drawn.h[0] >= 1


@given(seed=st.integers(0, 2**63), positions=st.lists(st.integers(0, 2**40), min_size=2, max_size=9))
def test_a_draw_is_the_same_whatever_stands_beside_it(seed: int, positions: list[int]) -> None:
    sides = np.full(len(positions), 256)
    together = draw(PRESETS["crop"], seed, 1, np.array(positions), 0, sides, sides)
    alone = draw(PRESETS["crop"], seed, 1, np.array(positions[-1:]), 0, sides[:1], sides[:1])
    for field in ("x", "y", "w", "h", "flip"):
        assert getattr(together, field)[-1] == getattr(alone, field)[0]


def test_none_is_the_centred_largest_square_and_never_flips() -> None:
    drawn = draw(PRESETS["none"], 0, 0, np.arange(50), 0, np.full(50, 100), np.full(50, 61))
    assert {(x, y, w, h) for x, y, w, h in zip(drawn.x, drawn.y, drawn.w, drawn.h, strict=True)} == {(19, 0, 61, 61)}
    assert not drawn.flip.any()


def test_crop_draws_areas_ratios_and_flips_evenly_over_their_ranges() -> None:
    n, side = 20_000, np.full(20_000, 1000)
    drawn = draw(PRESETS["crop"], 7, 0, np.arange(n), 0, side, side)
    uncut = (drawn.w < 1000) & (drawn.h < 1000)
    area, ratio = drawn.w * drawn.h / 1e6, drawn.w / drawn.h
    assert area[uncut].min() >= 0.499
    assert abs(np.mean(area) - 0.75) < 0.02
    assert 0.79 < ratio[uncut].min() < 0.83
    assert 1.2 < ratio[uncut].max() < 1.26
    assert abs(drawn.flip.mean() - 0.5) < 0.02


def test_views_and_epochs_are_drawn_independently() -> None:
    side = np.full(8, 256)
    views = np.arange(2)[:, None]
    drawn = draw(PRESETS["supcon"], 0, 0, np.arange(8), views, side, side)
    assert drawn.x.shape == (2, 8)
    assert (drawn.w[0] != drawn.w[1]).any()
    later = draw(PRESETS["supcon"], 0, 1, np.arange(8), views, side, side)
    assert (drawn.w != later.w).any()


def test_draws_never_change_between_machines_and_versions() -> None:
    side = np.array([256, 200])
    drawn = draw(PRESETS["crop"], 5, 2, np.array([0, 123_456_789]), np.arange(2)[:, None], side, side)
    assert {name: getattr(drawn, name).tolist() for name in GOLDEN_DRAWS} == GOLDEN_DRAWS


def test_the_digest_follows_the_settings_and_not_the_name() -> None:
    crop = PRESETS["crop"]
    assert replace(crop, name="mine").digest == crop.digest
    assert replace(crop, flip=0.4).digest != crop.digest
    assert crop.digest == "bf9a80fdb0e4df19"


def test_an_unknown_augmentation_names_the_nearest() -> None:
    with pytest.raises(DfxError, match="did you mean supcon"):
        augment_preset("supcom")


@pytest.mark.parametrize("wrong", [{"crop_scale": (0.0, 1.0)}, {"crop_ratio": (2.0, 1.0)}, {"flip": 1.5}, {"views": 0}])
def test_settings_that_cannot_be_drawn_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DfxError, match=r"'mine'"):
        Augment(name="mine", **wrong)


GOLDEN_DRAWS = {
    "x": [[41, 22], [8, 36]],
    "y": [[23, 10], [24, 7]],
    "w": [[195, 172], [224, 160]],
    "h": [[202, 183], [213, 183]],
    "flip": [[False, False], [False, True]],
}
