"""What a detector is, and which there are: by name, or a class of one's own by its import path."""

from __future__ import annotations

import functools
import importlib
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from dataengine.errors import DfxError, line_of, unknown_name
from dataengine.faces.face import Face
from dataengine.faces.pinned import Pinned, unchanged
from dataengine.video import Pixels

DETECTORS = ("mtcnn", "yunet", "none")
"""none: no face is looked for, and the centred square of each frame is taken."""


class Detector(Protocol):
    """What finds the faces in one image. It is constructed once a process and called by one thread at a time.

    One's own is a class named `package.module:Class`. It is called without arguments, or with the path of
    --detector-weights where that is given, and must answer alike for equal images, whatever it saw before: a store is
    a pure function of its sources.
    """

    landmarks: bool
    """Whether every face comes with its five landmarks."""

    def __call__(self, rgb: Pixels) -> Sequence[Face]:
        """The faces in an image, uint8 (height, width, 3), red first, in its pixels, with scores in [0, 1].

        The image is a copy of a frame, at most 640 px long, or a part of one.
        """


def check_detector(name: str) -> None:
    """Raises DfxError where `name` is neither one of DETECTORS nor an import path."""
    if name not in DETECTORS and ":" not in name:
        raise unknown_name("detector", name, (*DETECTORS, "package.module:Class"))


@functools.lru_cache(maxsize=2)
def load_detector(name: str, weights: Pinned | None, min_face: int) -> Detector:
    """The detector `name`, one of DETECTORS but "none", or an import path; the same object for the same arguments.

    `min_face` is the smallest face it needs to look for, in pixels: a bound that saves time, no promise.

    Raises DfxError where there is none of that name, or its weights are missing, other than those pinned, or refused.
    """
    check_detector(name)
    path = None if weights is None else unchanged(weights)
    if name == "mtcnn":
        from dataengine.faces.mtcnn import Mtcnn

        return Mtcnn(min_face)
    if name == "yunet":
        from dataengine.faces.yunet import YuNet, fetch_weights

        return YuNet(path or fetch_weights())
    return _own(name, path)


def weights_sha256(name: str, weights: Pinned | None) -> str | None:
    """What tells the weights of a detector: the sha256 of the given file, or of its own (of mtcnn's three files, one
    after the other); None for one's own class without a file, and for none."""
    if weights is not None:
        return weights.sha256
    if name == "mtcnn":
        from dataengine.faces.mtcnn import own_weights

        return own_weights()
    if name == "yunet":
        from dataengine.faces.yunet import WEIGHTS_SHA256

        return WEIGHTS_SHA256
    return None


def _own(name: str, weights: Path | None) -> Detector:
    module, _, attribute = name.partition(":")
    try:
        kind: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise DfxError(
            f"the detector '{name}' cannot be imported ({line_of(error)}); check the path, and that PYTHONPATH has it"
        ) from None
    try:
        detector: Detector = kind() if weights is None else kind(weights)
    except Exception as error:
        raise DfxError(f"the detector '{name}' cannot be constructed ({line_of(error)})") from error
    if not callable(detector) or not isinstance(getattr(detector, "landmarks", None), bool):
        raise DfxError(
            f"the detector '{name}' is none: it needs a bool `landmarks`, and to be called with an image; see "
            "docs/faces.md"
        )
    return _Checked(name, detector)


class _Checked:
    """One's own detector, whose mistakes are a line each."""

    def __init__(self, name: str, detector: Detector) -> None:
        self.name, self.detector, self.landmarks = name, detector, detector.landmarks

    def __call__(self, rgb: Pixels) -> Sequence[Face]:
        try:
            found = list(self.detector(rgb))
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {line_of(error)}"
            raise DfxError(
                f"the detector '{self.name}' failed at {at.filename}:{at.lineno} ({said}); mend it"
            ) from error
        for face in found:
            if not isinstance(face, Face):
                kind = type(face).__name__
                raise DfxError(
                    f"the detector '{self.name}' gave a {kind}; let it give Face of dataengine.faces, see docs/faces.md"
                )
        return found
