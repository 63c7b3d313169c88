"""What learns from a few embeddings: three classifiers that leave the network as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from trainers.metrics.rows import Floats, Ints

C = 1.0
"""Inverse strength of the linear probe's L2 penalty, scikit-learn's default: a few clips leave nothing to choose it by.
"""

NEIGHBOURS = 5
"""Frames that vote, or as many as the smallest class has."""

TEMPERATURE = 0.1
"""What cosine similarities to prototypes are divided by before the softmax: it orders nothing anew."""

Probe = Callable[[Floats, Ints, Floats], Floats]
"""(support (n, d), its classes 0..C-1 (n,), queries (m, d)) -> probabilities (m, C). Embeddings have unit length."""


def linear(support: Floats, labels: Ints, queries: Floats) -> Floats:
    """Logistic regression with penalty `C` on the embeddings (Tian et al., ECCV 2020); classes weigh alike.

    Dimensions are not standardised: over a handful of frames that lifts noise to the height of what tells them apart.
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=C, class_weight="balanced", max_iter=1000)
    found: Floats = model.fit(support, labels).predict_proba(queries)
    return found


def prototype(support: Floats, labels: Ints, queries: Floats) -> Floats:
    """The class whose mean direction is nearest (Snell et al., NeurIPS 2017, on the sphere)."""
    from scipy.special import softmax

    means = np.stack([support[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    found: Floats = softmax(queries @ means.T / TEMPERATURE, axis=1)
    return found


def neighbours(support: Floats, labels: Ints, queries: Floats) -> Floats:
    """The shares of the classes among the `NEIGHBOURS` frames of largest cosine similarity."""
    from sklearn.neighbors import KNeighborsClassifier

    most = min(NEIGHBOURS, int(np.bincount(labels).min()))
    model = KNeighborsClassifier(n_neighbors=most, metric="cosine", algorithm="brute")
    found: Floats = model.fit(support, labels).predict_proba(queries)
    return found


PROBES: Mapping[str, Probe] = MappingProxyType({"linear": linear, "prototype": prototype, "neighbours": neighbours})
