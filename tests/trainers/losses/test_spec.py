from __future__ import annotations

import subprocess
import sys
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import DfxError
from trainers.losses.spec import CLASSIFICATION, TERMS, LossSpec


def refusal(**settings: Any) -> str:
    with pytest.raises(DfxError) as error:
        LossSpec(**settings)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_loss_stands_alone_and_every_pair_together() -> None:
    for name in CLASSIFICATION:
        spec = LossSpec(loss=name)
        assert (spec.classification, spec.term) == (name, None)
    for name, term in TERMS.items():
        assert (LossSpec(loss=name).classification, LossSpec(loss=name).term) == (None, term)
    for one, other in product(CLASSIFICATION, TERMS):
        spec = LossSpec(loss=f"{one}+{other}")
        assert (spec.classification, spec.term) == (one, TERMS[other])


def test_an_unknown_loss_is_named_with_the_nearest() -> None:
    assert refusal(loss="ce+subcon") == "unknown loss 'subcon'; did you mean supcon?"
    assert "unknown loss ''" in refusal(loss="")
    assert "unknown loss ''" in refusal(loss="ce+")


@pytest.mark.parametrize("loss", ["supcon+ce", "ce+focal", "supcon+triplet", "ce+supcon+triplet", "ce+ce"])
def test_other_combinations_are_refused(loss: str) -> None:
    assert f"'{loss}'" in refusal(loss=loss)


@pytest.mark.parametrize("setting", ["temperature", "margin", "scale"])
@pytest.mark.parametrize("name", TERMS)
def test_a_term_takes_the_settings_that_it_has_and_refuses_others(name: str, setting: str) -> None:
    default = getattr(TERMS[name], setting)
    if default is None:
        assert f"{name} has no {setting}" in refusal(loss=f"ce+{name}", **{setting: 0.3})
    else:
        assert LossSpec(loss=f"ce+{name}").of_term(setting) == default
        assert LossSpec(loss=f"ce+{name}", **{setting: 0.3}).of_term(setting) == 0.3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss": "ce", "weight": 0.5}, "weight is of a loss on the embedding, and 'ce' has none"),
        ({"loss": "focal", "temperature": 0.1}, "temperature is of a loss on the embedding"),
        ({"loss": "supcon", "weight": 0.5}, "'supcon' stands alone"),
        ({"loss": "focal", "smoothing": 0.1}, "smoothing is of ce, and the loss is 'focal'"),
        ({"loss": "supcon", "smoothing": 0.1}, "smoothing is of ce"),
        ({"loss": "ce", "gamma": 1.0}, "gamma is of focal, and the loss is 'ce'"),
        ({"loss": "supcon", "class_weights": "balanced"}, "'supcon' has none"),
        ({"loss": "ce", "class_weights": "balance"}, "did you mean balanced?"),
        ({"loss": "ce", "learnt_weights": True}, "'ce' is one"),
        ({"loss": "patchwise", "learnt_weights": True}, "'patchwise' is one"),
        ({"loss": "ce+supcon", "learnt_weights": True, "weight": 0.5}, "the weight is learnt, and 0.5 is given too"),
    ],
)
def test_a_setting_that_the_loss_has_none_of_is_refused(settings: dict[str, Any], said: str) -> None:
    assert said in refusal(**settings)


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
RANGES = {
    "temperature": ("ce+supcon", lambda v: 0 < v < float("inf")),
    "scale": ("ce+circle", lambda v: 0 < v < float("inf")),
    "weight": ("ce+supcon", lambda v: 0 <= v < float("inf")),
    "gamma": ("focal", lambda v: 0 <= v < float("inf")),
    "smoothing": ("ce", lambda v: 0 <= v < 1),
}


@pytest.mark.parametrize("setting", RANGES)
@given(value=NUMBERS)
def test_a_value_is_taken_if_and_only_if_it_is_in_range(setting: str, value: float) -> None:
    loss, within = RANGES[setting]
    if within(value):
        assert getattr(LossSpec(loss=loss, **{setting: value}), setting) == value
    else:
        assert f"{setting} is {value}" in refusal(loss=loss, **{setting: value})


@pytest.mark.parametrize("name", [name for name, term in TERMS.items() if term.margin is not None])
@given(value=NUMBERS)
def test_a_margin_is_taken_if_and_only_if_it_is_in_range(name: str, value: float) -> None:
    if 0 <= value <= TERMS[name].margin_most:
        assert LossSpec(loss=name, margin=value).of_term("margin") == value
    else:
        assert f"the margin of {name} is {value}" in refusal(loss=name, margin=value)


def test_arcfaces_margin_in_degrees_is_refused() -> None:
    assert refusal(loss="ce+arcface", margin=28.6).endswith("give a number from 0 to 1.571 radians")


def test_names_are_read_without_torch() -> None:
    code = "import sys, trainers.losses.spec; assert not {'torch', 'pytorch_metric_learning'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
