"""Models by name: those that papers named, and any timm network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import timm

from dataengine.errors import DfxError, unknown_name
from trainers.models import backbones, dnadet, efficientnet, mesonet, shallownet, xception
from trainers.models.classifier import Classifier, InputSpec
from trainers.models.weights import load, load_backbone
from trainers.taxonomy import Taxonomy

__all__ = ["FETCHING", "MODELS", "Classifier", "InputSpec", "Named", "build", "input_spec", "needs_fetching"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A model that a paper named."""

    input: InputSpec
    make: Callable[[int, int], Classifier]
    """(number of classes, side in pixels) -> the model, drawn from torch's generator. Raises DfxError for a size that
    it cannot take."""


BACKBONE = "backbone:"
"""Before a run: its backbone alone."""

MODELS: dict[str, Named] = {
    "mesonet4": Named(input=mesonet.INPUT, make=mesonet.mesonet4),
    "mesoinception4": Named(input=mesonet.INPUT, make=mesonet.mesoinception4),
    "shallownet": Named(input=shallownet.INPUT, make=shallownet.shallownet),
    "xception": Named(input=xception.INPUT, make=xception.xception),
    "efficientnet-b0": Named(input=efficientnet.INPUT, make=efficientnet.efficientnet_b0),
    "dna-det": Named(input=dnadet.INPUT, make=dnadet.dnadet),
}
"""They come before timm's: `xception` is Keras's, timm's own is `legacy_xception`."""


def input_spec(name: str, size: int | None = None) -> InputSpec:
    """What images the model `name` takes; `size` overrides its own. Raises DfxError for an unknown name."""
    if name not in MODELS and not timm.is_model(name.partition(".")[0]):
        raise unknown_name("model", name, [*MODELS, *timm.list_models()])
    spec = MODELS[name].input if name in MODELS else backbones.input_spec(name)
    return replace(spec, size=size or spec.size)


FETCHING = "the weights of {} are being fetched; without a network that fails after one or two minutes"
"""What is said before `build` fetches weights: the hub's client tries it several times."""


def needs_fetching(name: str, weights: str) -> bool:
    """Whether `build` must fetch the weights of a timm network first."""
    return weights == "imagenet" and name not in MODELS and backbones.to_be_fetched(name)


def build(name: str, taxonomy: Taxonomy, *, size: int | None = None, weights: str = "none") -> Classifier:
    """The model `name` for a taxonomy, on the CPU, in training mode.

    `weights`: "none" (drawn from torch's generator), "imagenet" (fetched by timm on first use), or a file or run to
    start from. A file or run of dfx must be of the same model and taxonomy, or with "backbone:" before it of the same
    model, and its classifier is left out; any other file is read as timm's state dict of this model, likewise without
    the classifier. Nothing is ever unpickled but tensors.
    Raises DfxError for an unknown name or a size that the model cannot take, and where weights cannot be fetched,
    StateError where they do not fit.
    """
    side = input_spec(name, size).size
    given = weights not in ("none", "imagenet")
    path = Path(weights.removeprefix(BACKBONE))
    if given and not path.exists():
        raise DfxError(f"no weights at '{path}'; give imagenet, none, a run folder or a file of weights")
    num_classes = len(taxonomy.classes)
    if name not in MODELS:
        model = backbones.backbone(name, num_classes, side, pretrained=weights == "imagenet")
    elif weights == "imagenet":
        raise DfxError(f"there are no pre-trained weights of {name}; use --weights none, or --weights FILE")
    else:
        model = MODELS[name].make(num_classes, side)
    if weights.startswith(BACKBONE):
        load_backbone(model, path, name)
    elif given:
        load(model, path, name, taxonomy)
    return model.train()
