"""Any timm backbone with a linear classifier on its pooled features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from dataengine.errors import DfxError, StateError, unknown_name
from trainers.checkpoint import read_weights
from trainers.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """What images a backbone takes."""

    size: int
    """Side in pixels."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    """RGB, for values in [0, 1]."""


class Backbone(nn.Module):
    """A timm network without its classifier, and a linear one of ours: the same for every family."""

    def __init__(self, network: nn.Module, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Linear(num_features, num_classes)

    @property
    def num_features(self) -> int:
        """The width of the embedding."""
        return self.head.in_features

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised images (N, 3, H, W) -> logits (N, C) and the embedding that they are made from (N, d)."""
        features = self.network(images)
        return self.head(features), features


def input_spec(name: str, size: int | None = None) -> InputSpec:
    """What images the backbone `name` takes; `size` overrides its own. Raises DfxError for an unknown name."""
    cfg = _pretrained_cfg(name)
    return InputSpec(size=size or int(cfg.input_size[-1]), mean=tuple(cfg.mean), std=tuple(cfg.std))


def build(name: str, taxonomy: Taxonomy, *, size: int | None = None, weights: str = "none") -> Backbone:
    """The backbone `name` for a taxonomy, on the CPU.

    `weights`: "none" (drawn from torch's generator), "imagenet" (fetched by timm on first use), or a file or run to
    start from. A file or run of dfx must be of the same model and taxonomy; any other file is read as timm's state
    dict of this model, of which the classifier is left out. Nothing is ever unpickled but tensors.
    Raises DfxError for an unknown name and where weights cannot be fetched, StateError where they do not fit.
    """
    cfg = _pretrained_cfg(name)
    if weights not in ("none", "imagenet") and not Path(weights).exists():
        raise DfxError(f"no weights at '{weights}'; give imagenet, none, a run folder or a file of weights")
    if weights == "imagenet" and not cfg.has_weights:
        raise DfxError(f"timm has no pre-trained weights of {name}; use --weights none, or --weights FILE")
    options: dict[str, Any] = {"num_classes": 0}
    side = size or cfg.input_size[-1]
    other_size = side != cfg.input_size[-1]
    if other_size and cfg.fixed_input_size:
        options["img_size"] = side
    try:
        network = _fetch(name, options) if weights == "imagenet" else timm.create_model(name, **options)
        if other_size:
            with torch.inference_mode():  # many networks find out about a size only when they run
                network.eval()(torch.zeros(1, 3, side, side))
    except DfxError:
        raise
    except (AssertionError, RuntimeError, ValueError) as error:
        raise DfxError(f"{name} cannot be built for {side} px ({_line(error)}); choose another --size") from None
    model = Backbone(network, int(network.head_hidden_size), len(taxonomy.classes))
    if weights not in ("none", "imagenet"):
        path = Path(weights)
        _load(model, path / "model.safetensors" if path.is_dir() else path, name, taxonomy, cfg.classifier)
    return model.train()


def _pretrained_cfg(name: str) -> Any:
    arch, _, tag = name.partition(".")
    if not timm.is_model(arch):
        raise unknown_name("model", name, timm.list_models())
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
            f"the weights of {name} could not be fetched ({_line(error)}); look at the network, or use "
            "--weights none, or --weights FILE with weights fetched elsewhere"
        ) from None


def _load(model: Backbone, path: Path, name: str, taxonomy: Taxonomy, classifier: Any) -> None:
    if path.suffix == ".safetensors":
        state, facts = read_weights(path)
    else:
        state, facts = _read_torch(path), None
    if facts is None:
        heads = (classifier,) if isinstance(classifier, str) else tuple(classifier or ())
        kept = {k: v for k, v in state.items() if not any(k.startswith(f"{head}.") for head in heads)}
        target: nn.Module = model.network
    else:
        if facts["model"] != name:
            raise StateError(
                f"{path} holds weights of {facts['model']}, not of {name}; choose --model {facts['model']}"
            )
        found = Taxonomy(**facts["taxonomy"])
        if found != taxonomy:
            same = f"with --data STORE@method={','.join(found.classes)}"
            mend = f"select the same methods {same}" if found.task == taxonomy.task else f"train for {found.task}"
            raise StateError(
                f"{path} was trained for {found}, the data are {taxonomy}; {mend}, or start from --weights imagenet"
            )
        kept, target = state, model
    try:
        target.load_state_dict(kept)
    except RuntimeError as error:
        raise StateError(
            f"{path} does not fit {name} ({_line(error, 1)}); choose the --model that it was made of"
        ) from None


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip, end-of-file: torch lets each kind through
        raise StateError(
            f"{path} is no file of weights ({_line(error)}); give a timm state dict or safetensors"
        ) from None
    for name in ("state_dict_ema", "state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(name), dict):
            state = state[name]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise StateError(f"{path} holds no state dict of tensors; give a timm state dict or safetensors")
    return state


def _line(error: Exception, at: int = 0) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[min(at, len(lines) - 1)][:200]
