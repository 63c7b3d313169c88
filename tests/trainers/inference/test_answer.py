from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import DfxError, StateError
from tests.trainers.open_predictions import TAXONOMY, open_predictions
from trainers.inference.answer import FrameScores, Rejection, answer, rejection_of
from trainers.openset import measure as openset
from trainers.openset.assess import fit_threshold
from trainers.run import Run

CLASSES = ("real", "Deepfakes", "FaceSwap")


def frames(p: list[list[float]]) -> FrameScores:
    return FrameScores(p=np.array(p), energy=np.arange(len(p), dtype=float), distance=np.full(len(p), 0.3))


def rule(score: str, threshold: float) -> Rejection:
    return Rejection(score=score, threshold=threshold, origin="here")


def test_the_answer_is_the_class_with_the_largest_mean_probability() -> None:
    found = answer(frames([[0.0, 1.0, 0.0], [0.5, 0.1, 0.4], [0.5, 0.1, 0.4]]), CLASSES, None)
    assert (found.verdict, found.nearest, found.score) == ("Deepfakes", "Deepfakes", None)
    assert found.p == pytest.approx((1 / 3, 0.4, 0.8 / 3))
    assert found.p_fake == pytest.approx(2 / 3)


@given(st.lists(st.lists(st.floats(0.001, 1), min_size=3, max_size=3), min_size=1, max_size=9))
def test_without_a_threshold_the_answer_is_always_a_class(weights: list[list[float]]) -> None:
    p = np.array(weights) / np.sum(weights, axis=1, keepdims=True)
    found = answer(frames(p.tolist()), CLASSES, None)
    assert found.verdict == found.nearest == CLASSES[int(np.argmax(found.p))]


@pytest.mark.parametrize(("score", "value"), [("max_softmax", 0.4), ("energy", 0.5), ("prototype_distance", 0.3)])
def test_a_clip_is_unknown_only_above_the_threshold(score: str, value: float) -> None:
    said = frames([[0.2, 0.7, 0.1], [0.2, 0.5, 0.3]])
    for threshold, verdict in ((value + 1e-9, "Deepfakes"), (value - 1e-9, "unknown")):
        found = answer(said, CLASSES, rule(score, threshold))
        assert (found.verdict, found.nearest) == (verdict, "Deepfakes")
        assert found.score == pytest.approx(value)


def run_with(tmp_path: Path, text: str | None) -> Run:
    if text is not None:
        (tmp_path / "openset.json").write_text(text)
    return Run(tmp_path, {}, {})


def test_a_runs_own_threshold_is_read_and_one_by_hand_goes_before_it(tmp_path: Path) -> None:
    run = run_with(tmp_path, json.dumps({"score": "energy", "threshold": -3, "auroc": 0.9}))
    found = rejection_of(run)
    assert found is not None
    assert (found.score, found.threshold) == ("energy", -3.0)
    by_hand = rejection_of(run, unknown_above=0.4)
    assert by_hand is not None
    assert (by_hand.score, by_hand.threshold) == ("max_softmax", 0.4)


def test_a_run_without_a_threshold_rejects_nothing(tmp_path: Path) -> None:
    assert rejection_of(run_with(tmp_path, None)) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"score": "max_softmax"}', '{"score": "max_softmax", "threshold": "x"}'])
def test_a_damaged_threshold_names_its_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(StateError, match=r"openset.json is damaged"):
        rejection_of(run_with(tmp_path, text))


@pytest.mark.parametrize("above", [-0.1, 1.1, float("nan")])
def test_a_threshold_by_hand_is_a_probability(tmp_path: Path, above: float) -> None:
    with pytest.raises(DfxError, match="--unknown-above is"):
        rejection_of(run_with(tmp_path, None), unknown_above=above)


def test_a_score_that_there_is_none_of_is_named(tmp_path: Path) -> None:
    with pytest.raises(DfxError, match="unknown open-set score 'enrgy'; did you mean energy"):
        rejection_of(run_with(tmp_path, '{"score": "enrgy", "threshold": 1}'))


@pytest.mark.parametrize("score", openset.SCORES)
def test_every_threshold_that_openset_writes_is_read(tmp_path: Path, score: str) -> None:
    fitted = fit_threshold(open_predictions(split="val"), TAXONOMY, score)
    found = rejection_of(run_with(tmp_path, json.dumps(fitted)))
    assert found is not None
    assert (found.score, found.threshold) == (score, fitted["threshold"])
