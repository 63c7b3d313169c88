"""How the weights move: parameter groups, the learning rate of a step, the precision of the forward pass."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from dataengine.errors import DfxError


def parameter_groups(modules: list[nn.Module], weight_decay: float) -> list[dict[str, Any]]:
    """AdamW's groups: matrices and kernels decay, vectors (biases, norms) do not."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


def learning_rate(step: int, num_steps: int, *, peak: float, warmup: float) -> float:
    """The learning rate of a step, counted from 0: a straight rise over a share of the steps, then a half cosine.

    A function of the step alone, so that no schedule needs saving.
    """
    rise = round(warmup * num_steps)
    if step < rise:
        return peak * (step + 1) / (rise + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(num_steps - rise, 1)))


def amp_dtype(amp: str, device: torch.device) -> torch.dtype | None:
    """What autocast computes in; None: autocast off. `auto` is bfloat16 on a GPU that has it.

    On the CPU bfloat16 is slower than float32 where the processor lacks it. Raises DfxError for fp16 there.
    """
    if amp == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else None
    if amp == "fp16" and device.type != "cuda":
        raise DfxError("--amp fp16 needs a GPU; use --amp off, or bf16 where the processor has it")
    return {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}[amp]
