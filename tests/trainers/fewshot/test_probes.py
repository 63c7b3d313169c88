from __future__ import annotations

import numpy as np
import pytest

from trainers.fewshot.probes import PROBES
from trainers.metrics.rows import Floats, Ints


def directions(counts: list[int], seed: int) -> tuple[Floats, Ints]:
    """Unit vectors around an axis of their own for each class."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    found = np.eye(8)[labels] + rng.normal(scale=0.15, size=(len(labels), 8))
    return found / np.linalg.norm(found, axis=1, keepdims=True), labels


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("counts", [[1, 1], [3, 4, 2], [12, 1, 12]])
def test_a_probe_tells_directions_apart_from_as_few_as_there_are(probe: str, counts: list[int]) -> None:
    support, labels = directions(counts, 0)
    queries, truth = directions([20] * len(counts), 1)
    p = PROBES[probe](support, labels, queries)
    assert p.shape == (len(queries), len(counts))
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-9)
    assert (p.argmax(axis=1) == truth).mean() > 0.9


def test_the_nearest_prototype_is_that_of_largest_cosine_whatever_the_number_of_frames() -> None:
    support = np.array([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    p = PROBES["prototype"](support, np.array([0, 0, 0, 1]), np.array([[0.8, 0.6], [0.6, 0.8]]))
    mean = np.array([2.6, 0.8]) / np.hypot(2.6, 0.8)
    logits = np.array([[0.8, 0.6], [0.6, 0.8]]) @ np.array([mean, [0.0, 1.0]]).T / 0.1
    np.testing.assert_allclose(p, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))


def test_neighbours_are_no_more_than_the_smallest_class_has() -> None:
    support, labels = directions([20, 2], 0)
    p = PROBES["neighbours"](support, labels, directions([5, 5], 1)[0])
    assert set(np.unique(p)) <= {0.0, 0.5, 1.0}
