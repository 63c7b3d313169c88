"""Manipulation methods: canonical name, category, and why two datasets' names are taken for one method.

A method's name is its dataset's own: FF++ "FaceSwap" fits a 3D model, FakeAVCeleb "faceswap" is an autoencoder ("The
Same Name Is Not Always the Same", Electronics 2023, 12(11):2353). So (dataset, raw_method) always stays beside the
canonical name, and two datasets share one only where the evidence is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dataengine.errors import LayoutError
from dataengine.records import REAL

FACE_SWAP, REENACTMENT, TALKING_HEAD = "face swap", "reenactment", "talking head"
SYNTHESIS, EDITING, UNKNOWN = "synthesis", "editing", "unknown"


@dataclass(frozen=True, slots=True)
class Method:
    """One manipulation as dfx names it."""

    name: str
    category: str
    evidence: str
    """Why datasets that use it are taken to mean the same thing, or where the name comes from."""


_FFPP = "Roessler et al., FaceForensics++ (ICCV 2019), section 3"

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(REAL, REAL, "footage that nobody manipulated"),
        Method("Deepfakes", FACE_SWAP, f"{_FFPP}: the shared-encoder autoencoder of the faceswap project"),
        Method("Face2Face", REENACTMENT, f"{_FFPP}: Thies et al. (CVPR 2016), expression transfer with a 3D model"),
        Method("FaceSwap", FACE_SWAP, f"{_FFPP}: graphics, a 3D model fitted and blended; no learning"),
        Method("NeuralTextures", REENACTMENT, f"{_FFPP}: Thies et al. (2019), only the mouth region is changed"),
        Method("FaceShifter", FACE_SWAP, "Li et al. (2019), added to FF++ by its authors"),
        Method("DeepFakeDetection", FACE_SWAP, "Google/Jigsaw (2019), actors; the generator is not published"),
        Method("Celeb-DF", FACE_SWAP, "Li et al. (CVPR 2020): an improved autoencoder of their own, one for all fakes"),
    )
}

_CANONICAL: Mapping[tuple[str, str], str] = {
    ("ff++", "original"): REAL,
    ("ff++", "Deepfakes"): "Deepfakes",
    ("ff++", "Face2Face"): "Face2Face",
    ("ff++", "FaceSwap"): "FaceSwap",
    ("ff++", "NeuralTextures"): "NeuralTextures",
    ("ff++", "FaceShifter"): "FaceShifter",
    ("dfd", "original"): REAL,
    ("dfd", "DeepFakeDetection"): "DeepFakeDetection",
    ("celeb-df", "Celeb-real"): REAL,
    ("celeb-df", "YouTube-real"): REAL,
    ("celeb-df", "Celeb-synthesis"): "Celeb-DF",
}


def canonical(dataset: str, raw_method: str) -> Method:
    """The method that a dataset calls `raw_method`.

    Raises LayoutError for a method this dataset is not known to hold: never a label by guess.
    """
    name = _CANONICAL.get((dataset, raw_method))
    if name is None:
        known = ", ".join(sorted(raw for of, raw in _CANONICAL if of == dataset))
        raise LayoutError(
            f"{dataset} has no method '{raw_method}' that dfx knows (it knows {known}); move that folder out of the "
            "tree, or convert it with `dfx shard folder`"
        )
    return METHODS[name]


def named_by_user(name: str, dataset: str = "") -> Method:
    """The method that a user calls `name`, of a class folder or in a list: the one that `dataset` is known to call so,
    the canonical one of that name, or one of its own.

    By giving a canonical method's exact name, the user says that it is that method.
    """
    if name.lower() == REAL:
        return METHODS[REAL]
    known = _CANONICAL.get((dataset, name), name)
    return METHODS.get(known) or Method(name, UNKNOWN, "named by whoever sorted or listed the files")
