"""From the probabilities of a clip's frames to one answer, which may be "unknown": pure but for reading a threshold."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dataengine.errors import DfxError, StateError, unknown_name
from dataengine.records import REAL
from trainers.run import Run

UNKNOWN = "unknown"
"""The answer for what is none of the classes."""

OPENSET_FILE = "openset.json"

SCORES = ("max_softmax", "energy", "prototype_distance")
"""What tells an unknown, as `openset.measure` names it; the higher, the more unknown. max_softmax: 1 - the largest
probability (Hendrycks and Gimpel, ICLR 2017). energy: -logsumexp of the logits (Liu et al., NeurIPS 2020).
prototype_distance: 1 - the largest cosine similarity of the embedding to a class prototype."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """When a clip is called unknown."""

    score: str
    """One of SCORES."""
    threshold: float
    """A clip whose score is above it is unknown."""
    origin: str
    """Where the threshold comes from, in words."""

    def __post_init__(self) -> None:
        if self.score not in SCORES:
            raise unknown_name("open-set score", self.score, SCORES)
        if not math.isfinite(self.threshold):
            raise DfxError(f"the threshold of {self.score} is {self.threshold}; give a number")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameScores:
    """What a model says of F frames of one clip."""

    p: Floats
    """(F, C), each row summing to 1."""
    energy: Floats
    """(F,)."""
    distance: Floats | None = None
    """(F,), in [0, 2]; None where the run has no prototypes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a clip is."""

    verdict: str
    """A class, or UNKNOWN."""
    nearest: str
    """The class with the largest probability, whatever the verdict."""
    p: tuple[float, ...]
    """Of each class: the mean over the frames."""
    p_fake: float
    """1 - p(real)."""
    score: float | None
    """What was held against the threshold; None where there is none."""


def answer(frames: FrameScores, classes: Sequence[str], rejection: Rejection | None) -> Answer:
    """The answer for a clip of at least one frame.

    Its probabilities are the mean over the frames and the verdict is the class with the largest, unless the clip's
    score is above the threshold: for max_softmax 1 - the largest mean probability, for the others the mean over the
    frames.
    """
    p = frames.p.mean(axis=0)
    best = int(p.argmax())
    score = _score(frames, p, rejection.score) if rejection else None
    rejected = rejection is not None and score is not None and score > rejection.threshold
    return Answer(
        verdict=UNKNOWN if rejected else classes[best],
        nearest=classes[best],
        p=tuple(p.tolist()),
        # Not 1 - p(real): next to 1 that would lose the digits of a small p(fake).
        p_fake=float(np.delete(p, list(classes).index(REAL)).sum()),
        score=score,
    )


def _score(frames: FrameScores, p: Floats, name: str) -> float:
    if name == "max_softmax":
        return float(1 - p.max())
    found = frames.energy if name == "energy" else frames.distance
    assert found is not None, "a run that rejects by distance has prototypes"
    return float(found.mean())


def rejection_of(run: Run, *, unknown_above: float | None = None) -> Rejection | None:
    """When the run calls a clip unknown: by `unknown_above`, a threshold of max_softmax, else as its openset.json says.

    None where there is neither: it then never does. Raises DfxError for a threshold outside [0, 1] of max_softmax,
    StateError for a damaged openset.json.
    """
    if unknown_above is not None:
        if not 0 <= unknown_above <= 1:
            raise DfxError(f"--unknown-above is {unknown_above}; give 1 - the least probability to trust, in [0, 1]")
        return Rejection(score="max_softmax", threshold=unknown_above, origin="--unknown-above")
    file = run.path / OPENSET_FILE
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
        return Rejection(score=found["score"], threshold=float(found["threshold"]), origin=str(file))
    except FileNotFoundError:
        return None
    except DfxError:
        raise
    except (ValueError, KeyError, TypeError):
        raise StateError(f"{file} is damaged; evaluate the run again, or give --unknown-above") from None
