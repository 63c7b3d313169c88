from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from trainers.evaluation.calibration import BINS, calibration_error, fit_temperature, reliability, tempered

ONCE = np.ones((1, 1))


def sharpened(sharpness: float, *, n: int = 4000, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows drawn from their own probabilities, which are then raised to a power: calibrated at that temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(n, classes))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return tempered(p, 1 / sharpness), truth


def error(p: np.ndarray, truth: np.ndarray) -> float:
    none = np.zeros(len(p), np.int64)
    return float(calibration_error(p.max(axis=1), p.argmax(axis=1) == truth, none, ONCE)[0])


def test_the_error_of_bins_worked_out_by_hand() -> None:
    confidence = np.array([0.62, 0.64, 0.95, 0.99])
    right = np.array([True, False, True, True])
    # Bin (0.6, 0.667]: |0.5 - 0.63| of half the rows. Bin (0.933, 1]: |1 - 0.97| of the other half.
    found = calibration_error(confidence, right, np.zeros(4, np.int64), ONCE)
    assert found[0] == pytest.approx(0.5 * 0.13 + 0.5 * 0.03)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below() -> None:
    assert reliability(np.array([0.0, 1 / BINS, 1.0]), np.array([True] * 3)).num.tolist() == [2, *[0] * (BINS - 2), 1]


def test_a_table_without_a_row_has_no_error() -> None:
    assert np.isnan(calibration_error(np.zeros(0), np.zeros(0, bool), np.zeros(0, np.int64), ONCE)[0])


@given(seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_any_resample_has_the_error_of_its_rows_written_out(seed: int) -> None:
    rng = np.random.default_rng(seed)
    confidence, right, groups = rng.random(50), rng.random(50) < 0.6, rng.integers(0, 6, 50)
    weights = rng.integers(0, 4, (3, 6))
    weights[:, groups[0]] += 1  # at least one row is drawn
    found = calibration_error(confidence, right, groups, weights.astype(np.float64))
    for value, weight in zip(found, weights, strict=True):
        drawn = np.repeat(np.arange(50), weight[groups])
        bins = [drawn[(confidence[drawn] > k / BINS) & (confidence[drawn] <= (k + 1) / BINS)] for k in range(BINS)]
        gaps = [len(b) * abs(right[b].mean() - confidence[b].mean()) for b in bins if len(b)]
        assert value == pytest.approx(sum(gaps) / len(drawn))


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 2.5])
def test_the_temperature_undoes_a_sharpening(sharpness: float) -> None:
    p, truth = sharpened(sharpness)
    found = fit_temperature(p, truth)
    assert found == pytest.approx(sharpness, rel=0.08)
    assert error(tempered(p, found), truth) < 0.03
    assert sharpness == 1.0 or error(p, truth) > 2 * error(tempered(p, found), truth)


def test_the_temperature_is_where_the_likelihood_is_largest() -> None:
    p, truth = sharpened(1.7, n=300)
    best = minimize_scalar(lambda t: log_loss(truth, tempered(p, t), labels=range(4)), (0.5, 5), method="golden")
    assert fit_temperature(p, truth) == pytest.approx(best.x, rel=1e-3)


def test_scaling_keeps_every_answer_and_sums_to_one() -> None:
    p, _ = sharpened(1.0, n=100)
    scaled = tempered(p, 3.0)
    assert (scaled.argmax(axis=1) == p.argmax(axis=1)).all()
    assert scaled.sum(axis=1) == pytest.approx(1)
    assert (scaled.max(axis=1) < p.max(axis=1)).all()


def test_where_every_answer_is_right_or_wrong_or_absent_there_is_no_temperature() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert fit_temperature(p, np.array([0, 1])) is None
    assert fit_temperature(p, np.array([1, 0])) is None
    assert fit_temperature(p[:0], np.zeros(0, np.int64)) is None


def test_a_probability_of_zero_has_a_temperature_too() -> None:
    p = np.array([[1.0, 0.0]] * 9 + [[0.6, 0.4]])
    found = fit_temperature(p, np.array([0] * 8 + [1, 0]))
    assert found is not None
    assert np.isfinite(tempered(p, found)).all()
