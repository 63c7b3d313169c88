"""MesoNet's published weights: Keras's HDF5 files, read without Keras.

Both layouts that Keras has written: `save_weights`, with the layers at the root, and `save`, with them under
`model_weights`. Only arrays and names are read: nothing of the model's configuration, and nothing is unpickled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dataengine.errors import DfxError, StateError, line_of
from trainers.models.classifier import Classifier
from trainers.models.mesonet import INPUT, mesoinception4, mesonet4

MESONETS = {"mesonet4": mesonet4, "mesoinception4": mesoinception4}
KINDS = {4: "convolutions", 2: "dense", 1: "batch norms"}
"""Of layers with weights, by the dimensions of `weight`."""

Layers = dict[int, list[Mapping[str, Tensor]]]
"""The layers of each kind in the order in which they were made: the tensors of each, as torch names them."""


def read_mesonet(path: Path) -> tuple[str, Classifier]:
    """The name and the model, for the classes real and fake, of MesoNet weights that Keras wrote; in evaluation mode.

    The name is told from the shapes; the input is the published 256 px. Keras's sigmoid unit is P(real), as here.
    Raises StateError for a file that is missing, damaged or of another network, DfxError where h5py is not installed.
    """
    found = _by_kind(_read(path))
    for name, make in MESONETS.items():
        model = make(2, INPUT.size)
        wanted = _by_kind([_weights(module) for module in model.modules() if _is_layer(module)])
        if _shapes(found) != _shapes(wanted):
            continue
        for kind in KINDS:
            for into, tensors in zip(wanted[kind], found[kind], strict=True):
                for key, tensor in tensors.items():
                    into[key].copy_(tensor)
        dense = model.state_dict()["network.dense.weight"]
        side = INPUT.size // 32
        dense.copy_(dense.unflatten(1, (side, side, -1)).permute(0, 3, 1, 2).flatten(1))  # Keras flattens NHWC
        return name, model.eval()
    layers = ", ".join(f"{len(found[kind])} {name}" for kind, name in KINDS.items())
    raise StateError(
        f"{path} holds no MesoNet-4 or MesoInception-4 for {INPUT.size} px with one output unit (it has {layers}); "
        "give weights such as Meso4_DF.h5"
    )


def _read(path: Path) -> list[Mapping[str, Tensor]]:
    """The layers that have weights, in the order in which they were made."""
    try:
        import h5py
    except ModuleNotFoundError:
        raise DfxError(
            "reading Keras's HDF5 files needs h5py; install it with pip install -e '.[keras]' in dfx's folder"
        ) from None
    if not path.is_file():
        raise StateError(
            f"no file at {path}; MesoNet's authors publish Meso4_DF.h5 and others with their code (DariusAf/MesoNet)"
        )
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            names = sorted(map(_text, root.attrs["layer_names"]), key=_made)
            layers = [_arrays(root[name]) for name in names]
        return [_as_torch(arrays) for arrays in layers if arrays]
    except (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise StateError(
            f"{path} holds no weights that Keras wrote ({line_of(error)}); give an HDF5 file of save_weights or save"
        ) from None


def _made(name: str) -> tuple[str, int]:
    """Keras numbers the layers of a type as it makes them (conv2d, conv2d_1, ...), but writes them by depth."""
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if re.fullmatch("[0-9]+", number) else (name, 0)


def _arrays(group: Any) -> dict[str, Tensor]:
    """ "conv2d_1/kernel:0" -> the array "kernel"."""
    names = [_text(name) for name in group.attrs["weight_names"]]
    arrays = {name.split("/")[-1].split(":")[0]: np.asarray(group[name], dtype=np.float32) for name in names}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _as_torch(arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    """Keras's names and its layout of kernels, (height, width, in, out), to torch's (out, in, height, width)."""
    if "gamma" in arrays:
        moving = {"running_mean": arrays["moving_mean"], "running_var": arrays["moving_variance"]}
        return {"weight": arrays["gamma"], "bias": arrays["beta"], **moving}
    kernel = arrays["kernel"]
    return {"weight": kernel.permute(3, 2, 0, 1) if kernel.dim() == 4 else kernel.T, "bias": arrays["bias"]}


def _is_layer(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d)


def _weights(module: nn.Module) -> dict[str, Tensor]:
    """A layer's tensors themselves; copying into them fills the layer."""
    return {name: tensor for name, tensor in module.state_dict().items() if name != "num_batches_tracked"}


def _by_kind(layers: list[Mapping[str, Tensor]]) -> Layers:
    return {kind: [layer for layer in layers if layer["weight"].dim() == kind] for kind in KINDS}


def _shapes(layers: Layers) -> dict[int, list[dict[str, torch.Size]]]:
    return {kind: [{name: t.shape for name, t in layer.items()} for layer in layers[kind]] for kind in KINDS}
