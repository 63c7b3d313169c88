"""What an augmentation does, as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dataengine.augment import Augment, augment_preset, draw
from dataengine.errors import DfxError
from dataengine.preview import caption, draw_preview, shown_samples
from dataengine.selection import select
from dataengine.store import Store
from tests.dataengine.made import damage, jpeg, made_rows, picture


def test_each_sample_is_of_another_method_and_the_real_one_stands_first(mini_store: Store) -> None:
    shown = shown_samples(select([str(mini_store.root)]), augment_preset("forensic"), images=3, draws=2, size=24)
    assert [sample.method for sample in shown] == ["real", "Deepfakes", "FaceSwap"]
    assert all(len(sample.drawn) == len(sample.captions) == 2 for sample in shown)
    assert all(image.shape == (24, 24, 3) for sample in shown for image in (sample.plain, *sample.drawn))


def test_a_seed_gives_the_same_preview_and_another_one_others(mini_store: Store) -> None:
    rows = select([str(mini_store.root)])
    first, again, other = (
        [(sample.key, sample.captions) for sample in shown_samples(rows, augment_preset("crop"), seed=seed, size=16)]
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", ["none", "robustness:blur:2"])
def test_what_draws_nothing_or_is_fixed_has_one_draw(mini_store: Store, name: str) -> None:
    shown = shown_samples(select([str(mini_store.root)]), augment_preset(name), draws=4, size=16)
    assert {len(sample.drawn) for sample in shown} == {1}
    assert all(sample.heads == [f"under {name}"] for sample in shown)


def test_the_views_of_a_draw_stand_side_by_side(mini_store: Store) -> None:
    shown = shown_samples(select([str(mini_store.root)]), augment_preset("supcon"), images=1, draws=2, size=16)[0]
    assert shown.heads == ["draw 1, view 1", "draw 1, view 2", "draw 2, view 1", "draw 2, view 2"]
    assert len(shown.drawn) == len(shown.captions) == 4


def test_a_damaged_sample_is_passed_over(tmp_path: Path) -> None:
    rows = made_rows(tmp_path, [jpeg(picture(i)) for i in range(6)])
    for row in range(5):
        damage(rows, row, "byte")
    shown = shown_samples(rows, augment_preset("none"), size=16)
    assert [sample.key for sample in shown] == [rows.strings("key")[5]]
    damage(rows, 5, "byte")
    with pytest.raises(DfxError, match="xxh3 differs"):
        shown_samples(rows, augment_preset("none"), size=16)


def test_a_caption_names_what_was_drawn_and_nothing_else() -> None:
    def words(**settings: object) -> str:
        side = np.array([100])
        return caption(draw(Augment(name="a", **settings), 0, 0, np.array([0]), 0, side, side))

    assert words() == "unchanged"
    assert words(flip=1.0, jpeg=1.0, jpeg_quality=(70, 70)) == "flip, JPEG 70"
    assert words(flip=1.0, brightness=1.0, brightness_factor=(1.001, 1.002)) == "flip"
    assert words(rotate=1.0, rotate_degrees=(-5, -5), grey=1.0) == "rotate −5.0°, grey"


def test_a_picture_that_cannot_be_written_names_its_file(mini_store: Store, tmp_path: Path) -> None:
    shown = shown_samples(select([str(mini_store.root)]), augment_preset("none"), images=1, size=16)
    with pytest.raises(DfxError, match=r"gone/p\.png cannot be written"):
        draw_preview(shown, tmp_path / "gone" / "p.png", title="")


@pytest.mark.parametrize("wrong", [{"size": 100_000}, {"images": 1000, "draws": 1000}, {"images": 0}])
def test_a_picture_beyond_bounds_is_refused(mini_store: Store, wrong: dict[str, int]) -> None:
    with pytest.raises(DfxError, match="give at least 1" if wrong == {"images": 0} else "more than a picture can hold"):
        shown_samples(select([str(mini_store.root)]), augment_preset("flip"), **wrong)
