"""How the weights move: parameter groups, the learning rate of a step, the precision of the forward pass."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import torch
from torch import nn

from dataengine.errors import DfxError
from trainers.config import TrainConfig

MOMENTUM = 0.9
"""Of sgd."""

LOSS_WEIGHTS, LOSS_WEIGHTS_LR = "loss_weights", 0.01
"""What an objective calls its learnt weights, and their learning rate at its highest: DNA-Det's."""


def optimizer_of(config: TrainConfig, network: nn.Module, others: list[nn.Module]) -> torch.optim.Optimizer:
    """The optimizer of a training: `network` by layers, `others` (classifier, loss) at the full learning rate."""
    groups = parameter_groups(network, others, weight_decay=config.weight_decay, layer_decay=config.layer_decay)
    for module in others:
        for name, parameter in module.named_parameters():
            if name == LOSS_WEIGHTS:
                groups.append({"params": [parameter], "weight_decay": 0.0, "lr_scale": LOSS_WEIGHTS_LR / config.lr})
    if not groups:
        raise DfxError(
            f"nothing is left to learn: '{config.loss}' with frozen {config.frozen}; thaw a part of the model"
        )
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=MOMENTUM)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.lr)


def parameter_groups(
    network: nn.Module, others: list[nn.Module], *, weight_decay: float, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Groups of what learns: matrices and kernels decay, vectors (biases, norms) do not.

    Each group's `lr_scale` is what its learning rate is multiplied by: 1 for `others`, and for the layers of `network`
    `layer_decay` once for the last one, twice for the one before it, and so on (Clark et al., ELECTRA, 2020).
    """
    found: dict[tuple[float, float], list[nn.Parameter]] = defaultdict(list)

    def put(parameter: nn.Parameter, scale: float) -> None:
        if parameter.requires_grad:
            found[(scale, weight_decay if parameter.dim() > 1 else 0.0)].append(parameter)

    depth = _depths(network) if layer_decay < 1 else {}
    last = max(depth.values(), default=0)
    for name, parameter in network.named_parameters():
        put(parameter, layer_decay ** (last + 1 - depth[name]) if depth else 1.0)
    for module in others:
        for name, parameter in module.named_parameters():
            if name != LOSS_WEIGHTS:
                put(parameter, 1.0)
    return [
        {"params": parameters, "weight_decay": decay, "lr_scale": scale}
        for (scale, decay), parameters in sorted(found.items(), key=lambda item: item[0])
    ]


def _depths(network: nn.Module) -> dict[str, int]:
    """Each parameter's layer, counted from the input."""
    from timm.models import group_parameters

    layers = group_parameters(network, network.group_matcher(coarse=False))  # type: ignore[operator]
    return {name: number for number, names in layers.items() for name in names}


def learning_rate(step: int, num_steps: int, config: TrainConfig) -> float:
    """The learning rate of a step, counted from 0: a straight rise over a share of the steps, then the schedule.

    A function of the step alone, so that no schedule needs saving.
    """
    rise = round(config.warmup * num_steps)
    if step < rise:
        return config.lr * (step + 1) / (rise + 1)
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "step":
        return config.lr * config.step_gamma ** ((step - rise) // config.step_size)
    return config.lr * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(num_steps - rise, 1)))


def amp_dtype(amp: str, device: torch.device) -> torch.dtype | None:
    """What autocast computes in; None: autocast off. `auto` is bfloat16 on a GPU that has it.

    On the CPU bfloat16 is slower than float32 where the processor lacks it. Raises DfxError for fp16 there.
    """
    if amp == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else None
    if amp == "fp16" and device.type != "cuda":
        raise DfxError("--amp fp16 needs a GPU; use --amp off, or bf16 where the processor has it")
    return {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}[amp]
