"""Whether a probability is what it says: expected calibration error, reliability, and temperature scaling.

Source: Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017 (sections 2 and 4.2).
Everything is a function of predictions: a model's logits are the logarithms of its probabilities up to a constant,
which a softmax does not see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

Floats = npt.NDArray[np.float64]

BINS = 15
"""Bins of equal width over confidences in [0, 1], as in Guo et al. 2017."""

TEMPERATURES = (0.01, 100.0)
"""Where a temperature is looked for."""

_LEAST = float(np.finfo(np.float32).tiny)
"""What a stored probability of 0 is taken for: the smallest normal float32, since its logarithm must be finite."""


def bins_of(confidence: Floats) -> npt.NDArray[np.int64]:
    """The bin of each confidence: (0, 1/15] is bin 0, (14/15, 1] the last."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def calibration_error(
    confidence: Floats, right: npt.NDArray[np.bool_], groups: npt.NDArray[np.int64], weights: Floats
) -> Floats:
    """Expected calibration error (Guo et al. 2017, equation 3), of rows that count `weights[r, group]` times.

    The mean over rows of |accuracy - mean confidence| of their bin. `confidence` (n,) is the probability of the class
    answered, `right` (n,) whether that answer is true; weights (R, G) -> (R,) in [0, 1], nan without a row.
    """
    num = weights.shape[1]
    places = groups * BINS + bins_of(confidence)
    # Within a bin, accuracy - confidence is a sum over rows: one number a group and bin is enough.
    gaps = np.bincount(places, right - confidence, num * BINS).reshape(num, BINS)
    rows = weights @ np.bincount(groups, minlength=num).astype(np.float64)
    error = np.abs(weights @ gaps).sum(axis=1)
    found: Floats = np.divide(error, rows, out=np.full(len(weights), np.nan), where=rows > 0)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """What became of the rows of each bin; arrays of shape (BINS,)."""

    num: npt.NDArray[np.int64]
    confidence: Floats
    """Mean confidence, nan in an empty bin."""
    accuracy: Floats
    """Share of right answers, nan in an empty bin."""


def reliability(confidence: Floats, right: npt.NDArray[np.bool_]) -> Reliability:
    """Rows by bin of their confidence, arrays of shape (n,)."""
    places = bins_of(confidence)
    num = np.bincount(places, minlength=BINS)
    with np.errstate(invalid="ignore"):
        return Reliability(
            num=num,
            confidence=np.bincount(places, confidence, BINS) / num,
            accuracy=np.bincount(places, right.astype(np.float64), BINS) / num,
        )


def tempered(p: Floats, temperature: float) -> Floats:
    """softmax(log p / temperature): (n, C) -> (n, C). 1 changes nothing; above 1 every row becomes less sure."""
    scaled = np.log(np.maximum(p, _LEAST)) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled


def fit_temperature(p: Floats, truth: npt.NDArray[np.int64]) -> float | None:
    """The one temperature that minimises the mean negative log-likelihood of the true classes.

    `p` (n, C), `truth` (n,) class indices. The likelihood is convex in 1 / T, so that its derivative has one root.
    None where there is none within TEMPERATURES: without a row, where every answer is right (ever more sure is ever
    better), or where the answers are no better than chance (ever less sure is).
    """
    if not len(truth):
        return None
    logits = np.log(np.maximum(p, _LEAST))
    own = float(logits[np.arange(len(truth)), truth].mean())

    def slope(log_temperature: float) -> float:
        """Derivative of the negative log-likelihood in 1 / T: expected less true logit."""
        return float((tempered(p, np.exp(log_temperature)) * logits).sum(axis=1).mean()) - own

    low, high = np.log(TEMPERATURES)
    if not slope(low) > 0 > slope(high):
        return None
    return float(np.exp(brentq(slope, low, high, xtol=1e-6)))
