"""Weights from a run or a file into a model: dfx's own, or timm's state dict of its network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dataengine.errors import StateError, line_of
from trainers.checkpoint import read_weights
from trainers.models.classifier import Classifier
from trainers.taxonomy import Taxonomy


def load(model: Classifier, path: Path, name: str, taxonomy: Taxonomy) -> None:
    """Fill the model called `name` with the weights of a run folder or of a file.

    Weights of dfx must be of the same model and taxonomy; any other file is read as a state dict of the network, of
    which timm's classifier is left out. Raises StateError where they do not fit or are no weights.
    """
    file = path / "model.safetensors" if path.is_dir() else path
    if file.suffix == ".safetensors":
        state, facts = read_weights(file)
    else:
        state, facts = _read_torch(file), None
    if facts is None:
        heads = _classifier_names(model.network)
        kept = {k: v for k, v in state.items() if not any(k.startswith(f"{head}.") for head in heads)}
        target: nn.Module = model.network
    else:
        _check_model(facts, file, name)
        found = Taxonomy(**facts["taxonomy"])
        if found != taxonomy:
            same = f"with --data STORE@method={','.join(found.classes)}"
            mend = f"select the same methods {same}" if found.task == taxonomy.task else f"train for {found.task}"
            raise StateError(
                f"{file} was trained for {found}, the data are {taxonomy}; {mend}, or start from --weights imagenet"
            )
        kept, target = state, model
    _fill(target, kept, file, name)


def load_backbone(model: Classifier, path: Path, name: str) -> None:
    """Fill the network of the model called `name` with that of a run of dfx, whatever classes it had.

    Raises StateError where it is another model's, or no run.
    """
    file = path / "model.safetensors" if path.is_dir() else path
    state, facts = read_weights(file)
    if facts is None:
        raise StateError(f"{file} was not written by dfx; give it as --weights {file}")
    _check_model(facts, file, name)
    network = {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
    _fill(model.network, network, file, name)


def _check_model(facts: dict[str, Any], file: Path, name: str) -> None:
    if facts["model"] != name:
        raise StateError(f"{file} holds weights of {facts['model']}, not of {name}; choose --model {facts['model']}")


def _fill(target: nn.Module, state: dict[str, Tensor], file: Path, name: str) -> None:
    try:
        target.load_state_dict(state)
    except RuntimeError as error:
        raise StateError(
            f"{file} does not fit {name} ({line_of(error, 1)}); choose the --model that it was made of"
        ) from None


def _classifier_names(network: nn.Module) -> tuple[str, ...]:
    """What timm calls the classifier in the network's published weights; it has none itself."""
    names = getattr(network, "pretrained_cfg", {}).get("classifier") or ()
    return (names,) if isinstance(names, str) else tuple(names)


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip, end-of-file: torch lets each kind through
        raise StateError(
            f"{path} is no file of weights ({line_of(error)}); give a timm state dict or safetensors"
        ) from None
    for name in ("state_dict_ema", "state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(name), dict):
            state = state[name]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise StateError(f"{path} holds no state dict of tensors; give a timm state dict or safetensors")
    return state
