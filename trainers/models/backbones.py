"""Any timm network with a linear classifier on its pooled features: the same for every family."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import nn

from dataengine.errors import DfxError, line_of, unknown_name
from trainers.models.classifier import Classifier, InputSpec


def input_spec(name: str) -> InputSpec:
    """What images a timm network takes. Raises DfxError for a tag of weights that there is none of."""
    cfg = _pretrained_cfg(name)
    return InputSpec(size=int(cfg.input_size[-1]), mean=tuple(cfg.mean), std=tuple(cfg.std))


def backbone(name: str, num_classes: int, size: int, *, pretrained: bool) -> Classifier:
    """A timm network for images of `size` px, with a linear head of ours.

    Raises DfxError for a size that it cannot take, and for `pretrained` weights that there are none of or that cannot
    be fetched.
    """
    cfg = _pretrained_cfg(name)
    if pretrained and not cfg.has_weights:
        raise DfxError(f"timm has no pre-trained weights of {name}; use --weights none, or --weights FILE")
    options: dict[str, Any] = {"num_classes": 0}
    other_size = size != cfg.input_size[-1]
    if other_size and cfg.fixed_input_size:
        options["img_size"] = size
    try:
        network = _fetch(name, options) if pretrained else timm.create_model(name, **options)
        if other_size:
            with torch.inference_mode():  # many networks find out about a size only when they run
                network.eval()(torch.zeros(1, 3, size, size))
    except DfxError:
        raise
    except (AssertionError, RuntimeError, ValueError) as error:
        raise DfxError(f"{name} cannot be built for {size} px ({line_of(error)}); choose another --size") from None
    num_features = int(network.head_hidden_size)
    return Classifier(network, nn.Linear(num_features, num_classes), num_features=num_features)


def _pretrained_cfg(name: str) -> Any:
    arch, _, tag = name.partition(".")
    if tag and name not in (tags := timm.list_models(f"{arch}.*", pretrained=True)):
        raise unknown_name("model", name, [arch, *tags])
    return timm.get_pretrained_cfg(name)


def _fetch(name: str, options: dict[str, Any]) -> Any:
    try:
        return timm.create_model(name, pretrained=True, **options)
    except AssertionError:
        raise
    except Exception as error:  # each version of the hub's client has its own error types, not all of them OSError
        raise DfxError(
            f"the weights of {name} could not be fetched ({line_of(error)}); look at the network, or use "
            "--weights none, or --weights FILE with weights fetched elsewhere"
        ) from None
