"""Any timm network with a linear classifier on its pooled features: the same for every family."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import timm
import torch
from huggingface_hub import constants, try_to_load_from_cache
from torch import nn

from dataengine.errors import DfxError, line_of, unknown_name
from trainers.models.classifier import Classifier, InputSpec

_FILES = ("model.safetensors", "pytorch_model.bin")  # what the hub calls a network's weights, the first one preferred


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


def to_be_fetched(name: str) -> bool:
    """Whether the pre-trained weights of a timm network are not in the hub's cache yet, as far as that can be seen."""
    cfg = _pretrained_cfg(name)
    files = (cfg.hf_hub_filename,) if cfg.hf_hub_filename else _FILES
    held = (try_to_load_from_cache(cfg.hf_hub_id, file) for file in files if cfg.hf_hub_id)
    return cfg.has_weights and not any(isinstance(path, str) for path in held)


def _fetch(name: str, options: dict[str, Any]) -> Any:
    try:
        with _quiet():
            return timm.create_model(name, pretrained=True, **options)
    except AssertionError:
        raise
    except Exception as error:  # each version of the hub's client has its own error types, not all of them OSError
        cause: BaseException = error
        while (deeper := cause.__cause__ or cause.__context__) is not None:
            cause = deeper  # the client's own text is long, and speaks of its options
        reason = line_of(cause) if isinstance(cause, OSError) else type(cause).__name__
        if constants.HF_HUB_OFFLINE:
            reason = "HF_HUB_OFFLINE is set, and the hub's cache does not hold them"
        raise DfxError(
            f"the weights of {name} could not be fetched ({reason}); use --weights none, or --weights FILE, or fetch "
            "them where there is a network, copy its folder HF_HOME here and set HF_HUB_OFFLINE=1"
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the lines that the hub's client writes on each of its attempts: the end of them is told, or raised."""
    loggers = [logging.getLogger(name) for name in ("huggingface_hub", "timm")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
