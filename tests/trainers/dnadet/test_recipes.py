"""DNA-Det's settings."""

from __future__ import annotations

import pytest

from dataengine.errors import DfxError
from trainers.dnadet.recipes import RECIPES, recipe


@pytest.mark.parametrize(
    ("name", "lr", "step_size", "batch", "epochs"),
    [
        ("pretrain", 1e-4, 500, 128, 50),
        ("celeba", 1e-4, 500, 160, 30),
        ("lsun", 1e-3, 2500, 160, 30),
        ("in_the_wild", 1e-3, 2500, 176, 30),
    ],
)
def test_a_recipe_has_the_authors_numbers(name: str, lr: float, step_size: int, batch: int, epochs: int) -> None:
    settings = recipe(name)
    assert (settings["lr"], settings["step_size"], settings["batch"], settings["epochs"]) == (
        lr,
        step_size,
        batch,
        epochs,
    )
    assert (settings["step_gamma"], settings["weight_decay"], settings["patience"]) == (0.9, 0.0, 20)
    assert (settings["patches"], settings["patch_px"], settings["size"], settings["learnt_weights"]) == (
        16,
        64,
        512,
        True,
    )


def test_the_second_softmax_is_in_every_training_but_pretraining_and_can_be_left_out() -> None:
    losses = {name: recipe(name)["loss"] for name in RECIPES}
    assert losses.pop("pretrain") == "ce+patchwise"
    assert set(losses.values()) == {"softmax-ce+patchwise"}
    for name in RECIPES:
        faithful, fixed = recipe(name), recipe(name, faithful=False)
        assert fixed == {**faithful, "loss": "ce+patchwise"}


def test_an_unknown_recipe_is_named_with_the_known_ones() -> None:
    with pytest.raises(DfxError, match="unknown recipe 'celebA'; did you mean celeba"):
        recipe("celebA")
