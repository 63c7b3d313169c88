from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from dataengine.errors import DfxError
from trainers.config import TrainConfig
from trainers.optimise import amp_dtype, learning_rate, optimizer_of, parameter_groups


def rate(step: int, num_steps: int = 100, **settings: object) -> float:
    return learning_rate(step, num_steps, TrainConfig(data=("a",), lr=1.0, **settings))  # type: ignore[arg-type]


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing() -> None:
    rates = [rate(step, warmup=0.1) for step in range(100)]
    assert rates[:11] == sorted(rates[:11])
    assert rates[10] == max(rates) == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 1e-3


def test_without_warm_up_the_first_step_has_the_peak() -> None:
    assert rate(0, warmup=0.0) == 1.0


def test_steps_lower_the_rate_by_their_share_after_the_warm_up() -> None:
    rates = [rate(step, warmup=0.1, schedule="step", step_size=20, step_gamma=0.5) for step in range(100)]
    assert [rates[step] for step in (10, 29, 30, 50, 99)] == [1.0, 1.0, 0.5, 0.25, 0.0625]


def test_a_constant_rate_stays() -> None:
    assert {rate(step, warmup=0.0, schedule="constant") for step in range(100)} == {1.0}


def test_biases_and_norms_do_not_decay() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    kept, decayed = parameter_groups(network, [], weight_decay=0.1)
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)
    assert [p.dim() for p in decayed["params"]] == [4]
    assert [p.dim() for p in kept["params"]] == [1, 1, 1]


@pytest.mark.parametrize("name", ["test_vit", "test_resnet", "test_efficientnet"])
def test_rates_fall_layer_by_layer_towards_the_input(name: str) -> None:
    network, head = timm.create_model(name, num_classes=0), nn.Linear(4, 2)
    groups = parameter_groups(network, [head], weight_decay=0.0, layer_decay=0.5)
    scale = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    scales = [scale[id(p)] for p in network.parameters()]
    assert len(scale) == len(list(network.parameters())) + 2
    assert scale[id(head.weight)] == 1.0
    assert max(scales) == 0.5
    assert scales[0] == min(scales) < 0.25


def test_frozen_weights_are_left_out_and_nothing_left_is_an_error() -> None:
    network, head = nn.Linear(4, 4), nn.Linear(4, 2)
    network.requires_grad_(False)
    assert len(parameter_groups(network, [head], weight_decay=0.0)[0]["params"]) == 2
    with pytest.raises(DfxError, match="nothing is left to learn"):
        optimizer_of(TrainConfig(data=("a",)), network, [])


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)]
)
def test_optimizers_by_name(name: str, kind: type[torch.optim.Optimizer]) -> None:
    assert type(optimizer_of(TrainConfig(data=("a",), optimizer=name), nn.Linear(2, 2), [])) is kind


def test_auto_precision_is_full_on_the_cpu() -> None:
    assert amp_dtype("auto", torch.device("cpu")) is None
    assert amp_dtype("bf16", torch.device("cpu")) == torch.bfloat16


def test_half_precision_without_a_gpu_is_refused() -> None:
    with pytest.raises(DfxError, match="fp16 needs a GPU"):
        amp_dtype("fp16", torch.device("cpu"))
