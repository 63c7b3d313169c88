from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainers.report.synthetic_runs import CLASSES, predictions
from trainers.evaluation import group_weights
from trainers.evaluation.bootstrap import resampled
from trainers.evaluation.group_weights import area, cumulated, draw_groups, joined_levels, levels_of, share
from trainers.taxonomy import Taxonomy


@given(seed=st.integers(0, 100), rows=st.integers(1, 40), groups=st.integers(1, 6), at_once=st.integers(1, 8))
def test_cumulated_is_the_weight_of_the_rows_at_or_below_each_score(
    seed: int, rows: int, groups: int, at_once: int
) -> None:
    rng = np.random.default_rng(seed)
    scores, names = rng.integers(0, 5, rows).astype(float), rng.integers(0, groups, rows)
    part = rng.random(rows) < 0.5
    draws = draw_groups(names, resamples=3, seed=seed)
    levels, num = levels_of(scores)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_weights, "_GROUPS", at_once)
        found = cumulated(levels, num, draws.place(names), draws.weights, part)
    for r in range(3):
        weight = {name: draws.weights[r, i] for i, name in enumerate(draws.names)}
        for j, level in enumerate(sorted(set(scores))):
            want = sum(weight[names[i]] for i in range(rows) if part[i] and scores[i] <= level)
            assert found[r, j + 1] == want
        assert found[r, 0] == 0


@given(scores=st.lists(st.floats(-1, 1), min_size=1, max_size=200), most=st.integers(1, 20), seed=st.integers(0, 9))
def test_joined_levels_keep_the_order_and_never_part_equal_scores(scores: list[float], most: int, seed: int) -> None:
    given_scores = np.array(scores)
    levels, num = joined_levels(given_scores, np.random.default_rng(seed).random(len(scores)) < 0.3, most)
    assert num <= most
    assert set(levels) == set(range(num))
    order = np.argsort(given_scores, kind="stable")
    assert (np.diff(levels[order]) >= 0).all()
    for value in set(scores):
        assert len(set(levels[given_scores == value])) == 1


@pytest.mark.parametrize("rare", [0.5, 0.01])
def test_no_level_lumps_much_of_either_kind_however_rare_it_is(rare: float) -> None:
    rng = np.random.default_rng(0)
    kind = rng.random(50_000) < rare
    levels, num = joined_levels(rng.normal(size=50_000) / np.where(kind, 100, 1), kind, 100)
    for part in (kind, ~kind):
        most = np.bincount(levels[part], minlength=num).max()
        assert most <= part.sum() * 2 / 100 + 1


def test_names_and_their_numbers_are_drawn_alike_and_as_the_bootstrap_draws_them() -> None:
    table = predictions(CLASSES, skill=1.0, groups=12)
    names = np.array(table["group"].to_pylist())
    numbers = np.unique(names, return_inverse=True)[1]
    first, second = (draw_groups(groups, resamples=20, seed=4) for groups in (names, numbers))
    np.testing.assert_array_equal(first.weights, second.weights)
    taxonomy = Taxonomy(task="attribution", classes=CLASSES)
    p = np.stack([table[f"p_{name}"].to_numpy() for name in CLASSES])
    right = np.array([CLASSES[i] for i in p.argmax(axis=0)]) == np.array(table["method"].to_pylist())
    place = first.place(names)
    accuracy = share(first.weights @ np.bincount(place, weights=right), first.weights @ np.bincount(place))
    want = resampled(table, taxonomy, "attribution_accuracy", threshold=None, resamples=20, seed=4)
    assert accuracy == pytest.approx(want)


def test_the_area_of_each_row_is_that_of_its_trapezoids() -> None:
    x, y = np.array([[0, 0.5, 1], [0, 0.0, 1]]), np.array([[0, 1, 1], [0, 0.5, 1.0]])
    np.testing.assert_allclose(area(x, y), [0.75, 0.75])
