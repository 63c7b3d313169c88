from __future__ import annotations

import pytest
import torch
from torch import nn

from dataengine.errors import DfxError
from trainers.optimise import amp_dtype, learning_rate, parameter_groups


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing() -> None:
    rates = [learning_rate(step, 100, peak=1.0, warmup=0.1) for step in range(100)]
    assert rates[:11] == sorted(rates[:11])
    assert rates[10] == max(rates) == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 1e-3


def test_without_warm_up_the_first_step_has_the_peak() -> None:
    assert learning_rate(0, 10, peak=0.3, warmup=0.0) == 0.3


def test_biases_and_norms_do_not_decay() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    decayed, kept = parameter_groups([network], 0.1)
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)
    assert [p.dim() for p in decayed["params"]] == [4]
    assert [p.dim() for p in kept["params"]] == [1, 1, 1]


def test_auto_precision_is_full_on_the_cpu() -> None:
    assert amp_dtype("auto", torch.device("cpu")) is None
    assert amp_dtype("bf16", torch.device("cpu")) == torch.bfloat16


def test_half_precision_without_a_gpu_is_refused() -> None:
    with pytest.raises(DfxError, match="fp16 needs a GPU"):
        amp_dtype("fp16", torch.device("cpu"))
