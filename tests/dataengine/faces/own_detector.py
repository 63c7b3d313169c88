"""Detectors that a user might have written."""

from __future__ import annotations

import os
import time
from pathlib import Path

from dataengine.faces.face import Face
from dataengine.video import Pixels


class Middle:
    """One face in the middle of every image, however large."""

    landmarks = False

    def __init__(self, weights: Path | None = None) -> None:
        self.score = float(weights.read_text()) if weights else 0.5

    def __call__(self, rgb: Pixels) -> list[Face]:
        height, width = rgb.shape[:2]
        return [Face((width / 4, height / 4, 3 * width / 4, 3 * height / 4), self.score)]


class Broken(Middle):
    """Cannot be constructed."""

    def __init__(self) -> None:
        raise RuntimeError("no licence key\nsee the manual")


class Failing(Middle):
    """Cannot take an image."""

    def __call__(self, rgb: Pixels) -> list[Face]:
        raise RuntimeError("out of memory\ntry less")


class Bare(Middle):
    """Gives boxes that are no faces."""

    def __call__(self, rgb: Pixels) -> list[Face]:
        return [(1.0, 1.0, 9.0, 9.0)]  # type: ignore[list-item]


class Deadly(Middle):
    """Ends its process at the first image."""

    def __call__(self, rgb: Pixels) -> list[Face]:
        os._exit(0)


class Hanging(Middle):
    """Comes to no end, from its fourth image on, once the file that HANGS_WITH names is there."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def __call__(self, rgb: Pixels) -> list[Face]:
        self.seen += os.path.exists(os.environ["HANGS_WITH"])
        while self.seen > 3:
            time.sleep(60)
        return super().__call__(rgb)


class _StrangeError(Exception):
    """Cannot be pickled and read again."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} {why}")


class _StrangeFace(Face):
    """Says where it is with an error of its own."""

    def __getattribute__(self, name: str) -> object:
        if name == "box":
            raise _StrangeError("no licence", "today")
        return super().__getattribute__(name)


class Strange(Middle):
    """Gives faces that fail only later, in dfx's own code."""

    def __call__(self, rgb: Pixels) -> list[Face]:
        return [_StrangeFace((0, 0, 9, 9), self.score)]


class NoDetector:
    """Has no landmarks to tell of, and cannot be called."""
