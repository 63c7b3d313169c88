"""Augmentations by name, and specs in TOML."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from dataengine.augment import PRESETS, ROBUSTNESS, augment_preset, draw
from dataengine.errors import DfxError


def test_an_unknown_augmentation_names_the_nearest() -> None:
    with pytest.raises(DfxError, match="did you mean supcon"):
        augment_preset("supcom")


def test_forensic_can_draw_all_that_it_promises() -> None:
    forensic = PRESETS["forensic"]
    assert forensic.operations == {"rotate", "colour", "scale", "blur", "noise", "jpeg"}
    assert min(forensic.brightness, forensic.contrast, forensic.hue, forensic.saturation, forensic.grey) > 0
    assert (forensic.crop_scale, forensic.flip, forensic.jpeg_quality) == ((0.5, 1.0), 0.5, (60, 100))


@pytest.mark.parametrize("kind", ROBUSTNESS)
def test_degradations_do_one_thing_to_every_sample_and_grow_with_the_level(kind: str) -> None:
    sides, strengths = np.full(20, 256), []
    for level in range(1, 6):
        augment = augment_preset(f"robustness:{kind}:{level}")
        assert augment.fixed
        drawn = draw(augment, 0, 0, np.arange(20), 0, sides, sides)
        assert drawn.edits is not None
        assert augment.operations == {kind}
        assert (drawn.w == 256).all()
        assert not drawn.flip.any()
        (strength,) = np.unique(getattr(drawn.edits, kind))
        strengths.append(float(strength))
    assert strengths == pytest.approx(ROBUSTNESS[kind], rel=1e-6)
    weaker = kind in ("jpeg", "scale")
    assert strengths == sorted(strengths, reverse=weaker)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("robustness", "robustness:KIND:LEVEL"),
        ("robustness:jpeg", "robustness:KIND:LEVEL"),
        ("robustness:jpg:1", "did you mean jpeg"),
        ("robustness:jpeg:6", "level '6' .* 1 .* to 5"),
        ("robustness:jpeg:x", "level 'x'"),
    ],
)
def test_a_degradation_that_is_none_says_what_can_be_written(name: str, message: str) -> None:
    with pytest.raises(DfxError, match=message):
        augment_preset(name)


def _spec(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_a_spec_gives_the_same_as_its_fields_on_its_base(tmp_path: Path) -> None:
    path = _spec(tmp_path, 'base = "forensic"\njpeg = 1\njpeg_quality = [40, 90]\nviews = 2\n')
    augment = augment_preset(path)
    assert augment.name == path
    assert (augment.jpeg, augment.jpeg_quality, augment.views) == (1, (40, 90), 2)
    assert augment.crop_scale == PRESETS["forensic"].crop_scale
    assert augment.blur == PRESETS["forensic"].blur


def test_a_spec_without_a_base_does_only_what_it_says(tmp_path: Path) -> None:
    augment = augment_preset(_spec(tmp_path, "blur = 0.5\n"))
    assert augment.operations == {"blur"}
    assert augment_preset(_spec(tmp_path, "")).digest == PRESETS["none"].digest


def test_how_a_number_is_written_does_not_change_the_digest(tmp_path: Path) -> None:
    whole = augment_preset(_spec(tmp_path, "jpeg = 1\njpeg_quality = [50, 90]\n"))
    assert augment_preset(_spec(tmp_path, "jpeg = 1.0\njpeg_quality = [50.0, 90.0]\n")).digest == whole.digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jpg = 0.5", "unknown key 'jpg'; did you mean jpeg"),
        ("name = 'x'", "unknown key 'name'"),
        ("base = 'forensics'", "unknown base 'forensics'; did you mean forensic"),
        ("base = 3", "unknown base '3'"),
        ("jpeg = 1.5", "jpeg .* 1.5"),
        ("jpeg = 'often'", "jpeg is 'often'; give a number"),
        ("jpeg = true", "jpeg is True; give a number"),
        ("jpeg = nan", "jpeg is nan; give a number"),
        ("blur_sigma = 1.0", r"blur_sigma is 1.0; give a range as \[lower, upper\]"),
        ("blur_sigma = [1.0]", r"blur_sigma is \[1.0\]; give a range"),
        ("blur_sigma = [3.0, 1.0]", "blur_sigma .* no range"),
        ("views = 1.5", "views is 1.5; give a whole number"),
        ("fixed = 1", "fixed is 1; give true or false"),
        ("jpeg = = 1", "no TOML"),
    ],
)
def test_a_spec_that_cannot_be_drawn_names_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = _spec(tmp_path, text)
    with pytest.raises(DfxError, match=message) as raised:
        augment_preset(path)
    assert re.search(r"mine\.toml", str(raised.value))
    assert "\n" not in str(raised.value)


def test_a_spec_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DfxError, match=r"gone\.toml cannot be read"):
        augment_preset(str(tmp_path / "gone.toml"))
