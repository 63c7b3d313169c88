"""The search spaces, and what they are made of."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import DfxError
from trainers.config import TrainConfig
from tune_spaces import attribution, detection
from tune_spaces.space import Choice, Dimension, Range, Setting, draw, grid, narrow

SPACES = {module.TASK: module.SPACE for module in (attribution, detection)}
TOY = {
    "model": Choice(("a", "b"), why="Two."),
    "loss": Choice(("ce", "ce+supcon"), why="Two."),
    "temperature": Range(0.1, 1.0, why="Between.", log=True, when=("loss", "ce+supcon")),
    "lr": Range(0.0, 1.0, why="Between."),
}


def values(dimension: Dimension) -> st.SearchStrategy[Setting]:
    if isinstance(dimension, Choice):
        return st.sampled_from(dimension.options)
    return st.floats(dimension.low, dimension.high)


@pytest.mark.parametrize("task", SPACES)
@given(data=st.data())
def test_every_point_of_a_space_is_a_training(task: str, data: st.DataObject) -> None:
    point = draw(SPACES[task], lambda name, dimension: data.draw(values(dimension), label=name))
    TrainConfig.of({"task": task, "data": ["shards/ff++"], **point})


@pytest.mark.parametrize("task", SPACES)
def test_every_setting_of_a_space_is_one_of_a_training_and_gives_its_reason(task: str) -> None:
    assert set(SPACES[task]) <= {field.name for field in fields(TrainConfig)}
    assert all(dimension.why.endswith(".") for dimension in SPACES[task].values())


@pytest.mark.parametrize("task", SPACES)
def test_every_backbone_and_augmentation_of_a_space_is_known(task: str) -> None:
    from dataengine.augment import augment_preset
    from trainers.models.catalogue import input_spec

    model, augment = SPACES[task]["model"], SPACES[task]["augment"]
    assert isinstance(model, Choice)
    assert isinstance(augment, Choice)
    for name in model.options:
        input_spec(str(name))
    for name in augment.options:
        augment_preset(str(name))


def test_a_setting_is_drawn_only_where_its_condition_is_met() -> None:
    def asked(loss: str) -> dict[str, Setting]:
        return draw(TOY, lambda name, dimension: loss if name == "loss" else 0.5)

    assert "temperature" in asked("ce+supcon")
    assert "temperature" not in asked("ce")


def test_narrowing_keeps_the_values_asked_for_and_drops_what_depended_on_the_others() -> None:
    narrowed = narrow(TOY, {"model": ("b", "other", "b"), "loss": ("ce",)})
    assert narrowed["model"] == Choice(("b", "other"), why="Two.")
    assert set(narrowed) == {"model", "loss", "lr"}
    assert narrow(TOY, {"model": (), "loss": ()}) == TOY


def test_a_grid_holds_every_combination_once() -> None:
    points = grid(TOY, ("model", "loss"))
    assert [tuple(point.values()) for point in points] == [
        ("a", "ce"),
        ("a", "ce+supcon"),
        ("b", "ce"),
        ("b", "ce+supcon"),
    ]


@pytest.mark.parametrize("name", ["lr", "loses"])
def test_only_choices_of_the_space_can_be_narrowed(name: str) -> None:
    with pytest.raises(DfxError, match=name):
        narrow(TOY, {name: ("x",)})


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (0.0, float("inf"))])
def test_a_range_needs_two_bounds(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="low < high"):
        Range(*bounds, why="None.")


def test_spaces_are_read_without_ray_optuna_or_torch() -> None:
    code = (
        "import sys; sys.modules.update(ray=None, optuna=None, torch=None)\n"
        "import tune_spaces.attribution, tune_spaces.detection, tune_spaces.work, tune_spaces.hooks"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=60)
