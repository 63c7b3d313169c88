from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from trainers.metrics import ranks
from trainers.metrics.names import RANK_METRICS, REALS_AT_FPR
from trainers.metrics.ranks import rank_metrics, ranking


def written_out(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """The same metrics from scikit-learn, on rows that count once each."""
    if len(np.unique(labels)) < 2:
        return dict.fromkeys(RANK_METRICS, np.nan)
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    eer = brentq(lambda x: 1 - x - np.interp(x, fpr, tpr), 0, 1, xtol=1e-13)
    num_reals = int((labels == 0).sum())
    return {
        "detection_auc": roc_auc_score(labels, scores),
        "detection_eer": eer,
        "detection_ap": average_precision_score(labels, scores),
        **{
            name: tpr[fpr <= 1 / least + 1e-12].max() if num_reals >= least else np.nan
            for name, least in REALS_AT_FPR.items()
        },
    }


rows = st.lists(
    st.tuples(st.booleans(), st.integers(0, 12), st.integers(0, 4)),
    min_size=1,
    max_size=40,
)


@given(rows=rows, seed=st.integers(0, 10_000), most=st.sampled_from([2, 5, 300]), block=st.sampled_from([1, 30, 10**6]))
@settings(max_examples=150, deadline=None)
def test_any_resample_scores_as_its_rows_written_out(
    rows: list[tuple[bool, int, int]], seed: int, most: int, block: int
) -> None:
    labels, levels, groups = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    scores = levels / 12
    weights = np.random.default_rng(seed).integers(0, most, (3, 5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "_BLOCK", block)
        found = rank_metrics(ranking(scores, labels, groups), weights)
    for r, weight in enumerate(weights):
        drawn = np.repeat(np.arange(len(labels)), weight[groups])
        expected = written_out(labels[drawn], scores[drawn])
        for name in RANK_METRICS:
            assert found[name][r] == pytest.approx(expected[name], abs=1e-9, nan_ok=True), name


def test_recall_at_a_false_positive_rate_counts_whole_false_alarms() -> None:
    """Of 100 reals one may be called fake at 1 %: the fakes above the second-highest real are found."""
    scores = np.r_[np.linspace(0, 0.5, 98), 0.9, 0.7, [0.95, 0.8, 0.75, 0.6]]
    labels = np.r_[np.zeros(100, np.int64), np.ones(4, np.int64)]
    found = rank_metrics(ranking(scores, labels, np.zeros(104, np.int64)), np.ones((1, 1), np.int64))
    assert found["detection_tpr_at_fpr_1e-2"] == pytest.approx(3 / 4)
    assert np.isnan(found["detection_tpr_at_fpr_1e-3"])


@pytest.mark.parametrize("reals", [99, 100, 999, 1000])
def test_a_rate_that_the_reals_cannot_resolve_is_undefined(reals: int) -> None:
    labels = np.r_[np.zeros(reals, np.int64), 1]
    found = rank_metrics(ranking(labels / 2, labels, np.zeros(reals + 1, np.int64)), np.ones((1, 1), np.int64))
    assert [np.isnan(found[name][0]) for name in REALS_AT_FPR] == [reals < 100, reals < 1000]


def test_a_score_shared_by_all_rows_tells_nothing() -> None:
    labels = np.array([0, 1] * 500)
    found = rank_metrics(ranking(np.full(1000, 0.5), labels, np.arange(1000) % 7), np.ones((1, 7), np.int64))
    assert (found["detection_auc"][0], found["detection_eer"][0], found["detection_ap"][0]) == (0.5, 0.5, 0.5)
    assert found["detection_tpr_at_fpr_1e-2"][0] == 0
