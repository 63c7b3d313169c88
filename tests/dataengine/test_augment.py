"""Draws of augmentation parameters."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.augment import OPERATIONS, PRESETS, Augment, Draws, Edits, draw
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
    assert crop.digest == "9906eb25abcd25f4"


def test_the_digest_tells_every_setting_apart_and_leaves_defaults_out() -> None:
    none = Augment(name="none")
    changes = [{"jpeg": 0.5}, {"jpeg_quality": (50, 100)}, {"noise": 0.5}, {"fixed": True}, {"views": 2}]
    digests = {replace(none, **change).digest for change in changes}
    assert len(digests | {none.digest}) == len(changes) + 1
    # Nothing but what differs from the defaults enters, so a setting that is added later changes no digest.
    assert none.digest == hashlib.sha256(b"{}").hexdigest()[:16]


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_one_of_the_spec_where_it_has_a_chance(name: str) -> None:
    chances = {"colour": "hue"}
    assert replace(PRESETS["none"], **{chances.get(name, name): 0.1}).operations == {name}
    assert name in PRESETS["forensic"].operations
    assert not PRESETS["crop"].operations


def test_only_an_augmentation_that_draws_is_random() -> None:
    assert not PRESETS["none"].random
    assert all(preset.random for name, preset in PRESETS.items() if name != "none")
    assert Augment(name="mine", grey=0.5).random


EVERYTHING = replace(
    PRESETS["forensic"],
    views=2,
    **dict.fromkeys(("rotate", "brightness", "contrast", "saturation", "hue", "scale", "blur", "noise"), 0.5),
)
RANGES = {
    "angle": ("rotate_degrees", 0),
    "brightness": ("brightness_factor", 1),
    "contrast": ("contrast_factor", 1),
    "hue": ("hue_degrees", 0),
    "scale": ("scale_factor", 1),
    "blur": ("blur_sigma", 0),
    "noise": ("noise_std", 0),
    "jpeg": ("jpeg_quality", 0),
}


def _edits(augment: Augment, seed: int, epoch: int, positions: np.ndarray) -> Edits:
    sides = np.full(len(positions), 256)
    edits = draw(augment, seed, epoch, positions, np.arange(augment.views)[:, None], sides, sides).edits
    assert edits is not None
    return edits


@given(seed=st.integers(0, 2**63), epoch=st.integers(0, 10**6), start=st.integers(0, 2**40))
def test_what_is_drawn_lies_in_its_range_or_is_neutral_for_any_seed_epoch_and_position(
    seed: int, epoch: int, start: int
) -> None:
    edits = _edits(EVERYTHING, seed, epoch, start + np.arange(64))
    for field, (setting, neutral) in RANGES.items():
        low, high = np.float32(getattr(EVERYTHING, setting))
        drawn = getattr(edits, field)
        assert (((drawn >= low) & (drawn <= high)) | (drawn == neutral)).all(), field
    low, high = np.float32(EVERYTHING.saturation_factor)
    grey = edits.saturation == 0
    assert (grey | (edits.saturation == 1) | ((edits.saturation >= low) & (edits.saturation <= high))).all()
    for offset in (edits.tile_x, edits.tile_y):
        assert ((offset >= 0) & (offset < 256)).all()


def test_operations_are_drawn_as_often_as_they_should_be_and_independently() -> None:
    augment = PRESETS["forensic"]
    edits = _edits(augment, 1, 0, np.arange(20_000))
    off = {**{field: neutral for field, (_, neutral) in RANGES.items()}}
    on = {field: (getattr(edits, field) != neutral)[0] for field, neutral in off.items()}
    for field, chance in {"angle": 0.2, "hue": 0.1, "scale": 0.2, "blur": 0.2, "noise": 0.2, "jpeg": 0.5}.items():
        assert abs(on[field].mean() - chance) < 0.02, field
    assert abs((edits.saturation == 0).mean() - augment.grey) < 0.02
    assert np.abs(np.corrcoef(list(on.values())) - np.eye(len(on))).max() < 0.04
    assert set(np.unique(edits.jpeg)) == {0, *range(60, 101)}


def test_views_epochs_and_seeds_draw_operations_anew() -> None:
    edits = _edits(EVERYTHING, 0, 0, np.arange(8))
    others = [_edits(EVERYTHING, 0, 1, np.arange(8)), _edits(EVERYTHING, 1, 0, np.arange(8))]
    for field in RANGES:
        assert (getattr(edits, field)[0] != getattr(edits, field)[1]).any(), field
        assert all((getattr(edits, field) != getattr(other, field)).any() for other in others), field


def test_a_part_of_the_draws_is_the_draws_of_that_part() -> None:
    sides, views = np.full(12, 256), np.arange(2)[:, None]
    whole = draw(EVERYTHING, 3, 1, np.arange(12), views, sides, sides).part(slice(4, 9))
    alone = draw(EVERYTHING, 3, 1, np.arange(4, 9), views, sides[4:9], sides[4:9])
    assert _flat(whole).keys() == _flat(alone).keys()
    assert all((value == _flat(alone)[name]).all() for name, value in _flat(whole).items())


def _flat(drawn: Draws) -> dict[str, np.ndarray]:
    own = {field.name: getattr(drawn, field.name) for field in fields(drawn) if field.name != "edits"}
    return {**own, **{field.name: getattr(drawn.edits, field.name) for field in fields(Edits)}}


def test_a_sample_is_edited_exactly_where_something_was_drawn() -> None:
    sides = np.full(500, 256)
    drawn = draw(PRESETS["forensic"], 0, 0, np.arange(500), 0, sides, sides)
    neutral = np.ones(500, dtype=bool)
    for field, (_, value) in {**RANGES, "saturation": ("", 1)}.items():
        neutral &= getattr(drawn.edits, field) == value
    assert (drawn.edited == ~neutral).all()
    assert 0 < neutral.sum() < 250


def test_new_operations_leave_the_windows_of_old_ones() -> None:
    sides = np.full(50, 256)
    crop, forensic = (draw(PRESETS[name], 0, 0, np.arange(50), 0, sides, sides) for name in ("crop", "forensic"))
    assert all((getattr(crop, name) == getattr(forensic, name)).all() for name in ("x", "y", "w", "h", "flip"))
    assert crop.edits is None
    assert not crop.edited.any()


def test_drawn_operations_never_change_between_machines_and_versions() -> None:
    edits = _edits(replace(EVERYTHING, views=1), 5, 2, np.array([0, 123_456_789, 2**40]))
    found = {field.name: np.round(getattr(edits, field.name).astype(float), 5).tolist()[0] for field in fields(Edits)}
    assert found == GOLDEN_EDITS


@pytest.mark.parametrize(
    "wrong",
    [
        {"crop_scale": (0.0, 1.0)},
        {"crop_ratio": (2.0, 1.0)},
        {"flip": 1.5},
        {"views": 0},
        {"jpeg": -0.1},
        {"jpeg_quality": (0, 100)},
        {"jpeg_quality": (60.5, 100)},
        {"blur_sigma": (2.0, 1.0)},
        {"scale_factor": (0.5, 1.5)},
    ],
)
def test_settings_that_cannot_be_drawn_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DfxError, match=rf"{next(iter(wrong))} of augmentation 'mine'"):
        Augment(name="mine", **wrong)


GOLDEN_DRAWS = {
    "x": [[41, 22], [8, 36]],
    "y": [[23, 10], [24, 7]],
    "w": [[195, 172], [224, 160]],
    "h": [[202, 183], [213, 183]],
    "flip": [[False, False], [False, True]],
}

GOLDEN_EDITS = {
    "angle": [0.0, 9.5647, 0.0],
    "brightness": [1.0, 1.0, 0.84386],
    "contrast": [1.08287, 1.19248, 1.0],
    "saturation": [1.0, 0.0, 1.04552],
    "hue": [-1.90187, 0.0, 0.0],
    "scale": [1.0, 1.0, 1.0],
    "blur": [0.0, 0.59485, 1.34998],
    "noise": [6.40138, 0.0, 4.10752],
    "tile_x": [52, 7, 171],
    "tile_y": [63, 98, 88],
    "jpeg": [0, 0, 82],
}
