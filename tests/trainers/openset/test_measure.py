from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from dataengine.errors import DfxError
from tests.trainers.open_predictions import TAXONOMY, open_predictions, unreadable
from tests.trainers.report.synthetic_runs import CLASSES
from trainers.openset.measure import METRICS, OpenRows, estimates, open_rows, resampled_figures
from trainers.taxonomy import Taxonomy


def rows_of(known: list[bool], right: list[bool], score: list[float]) -> OpenRows:
    n = len(known)
    return OpenRows(
        known=np.array(known),
        right=np.array(right) & np.array(known),
        groups=np.arange(n),
        methods=["new"] * n,
        scores={"max_softmax": np.array(score)},
    )


def slow(rows: OpenRows, score: str) -> dict[str, float]:
    """The definitions written out, a threshold at a time: accepted is what scores at most the threshold."""
    values, known = rows.scores[score], rows.known
    num_known, num_unknown = known.sum(), (~known).sum()
    points = [(0.0, 0.0, 0.0)]
    for threshold in sorted(set(values)):
        accepted = [i for i in range(len(values)) if values[i] <= threshold]
        tpr = sum(bool(known[i]) for i in accepted) / num_known
        fpr = sum(not known[i] for i in accepted) / num_unknown
        ccr = sum(bool(known[i]) and bool(rows.right[i]) for i in accepted) / num_known
        points.append((tpr, fpr, ccr))
    oscr = 0.0
    for (_, left, low), (_, right, high) in itertools.pairwise(points):
        oscr += (right - left) * (low + high) / 2
    return {
        "auroc": float(roc_auc_score(~known, values)),
        "oscr": oscr,
        "tnr_at_95_tpr": 1 - min(fpr for tpr, fpr, _ in points if round(tpr * num_known) * 100 >= 95 * num_known),
        "detection_accuracy": max((tpr + 1 - fpr) / 2 for tpr, fpr, _ in points),
    }


@given(
    drawn=st.lists(
        st.tuples(st.booleans(), st.booleans(), st.integers(0, 6)),
        min_size=2,
        max_size=60,
    ).filter(lambda rows: 0 < sum(known for known, _, _ in rows) < len(rows))
)
def test_figures_are_their_definitions_written_out(drawn: list[tuple[bool, bool, int]]) -> None:
    known, right, score = (list(column) for column in zip(*drawn, strict=True))
    rows = rows_of(known, right, score)
    assert estimates(rows, "max_softmax") == pytest.approx(slow(rows, "max_softmax"))


def test_tnr_is_read_where_scikit_learns_curve_first_accepts_95_percent_of_the_known() -> None:
    rows = open_rows(open_predictions(groups=30), TAXONOMY, "frame")
    fpr, tpr, _ = roc_curve(rows.known, -rows.scores["energy"], drop_intermediate=False)
    found = estimates(rows, "energy")
    assert found["tnr_at_95_tpr"] == pytest.approx(1 - fpr[np.argmax(tpr >= 0.95)])
    assert found["detection_accuracy"] == pytest.approx(np.max((tpr + 1 - fpr) / 2))


def test_a_perfect_score_is_worth_the_closed_set_accuracy_and_no_more() -> None:
    rows = rows_of([True] * 4 + [False] * 4, [True, True, True, False] + [False] * 4, [0, 1, 2, 3, 9, 9, 9, 9])
    found = estimates(rows, "max_softmax")
    assert found == {"auroc": 1.0, "oscr": 0.75, "tnr_at_95_tpr": 1.0, "detection_accuracy": 1.0}


@given(seed=st.integers(0, 50))
@settings(max_examples=10)
def test_a_score_that_tells_nothing_is_at_one_half(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rows_of(list(rng.random(4000) < 0.5), [True] * 4000, list(rng.random(4000)))
    found = estimates(rows, "max_softmax")
    assert found["auroc"] == pytest.approx(0.5, abs=0.05)
    assert found["oscr"] == pytest.approx(0.5, abs=0.05)
    assert found["tnr_at_95_tpr"] == pytest.approx(0.05, abs=0.03)


def test_a_draw_is_the_figure_of_the_drawn_groups_written_out() -> None:
    table = open_predictions(groups=12, frames=2, skill=1.0)
    rows = open_rows(table, TAXONOMY, "frame")
    values = resampled_figures(rows, "max_softmax", resamples=4, seed=3)
    names = sorted(set(table["group"].to_pylist()))
    draws = np.random.default_rng(3).multinomial(len(names), np.full(len(names), 1 / len(names)), size=4)
    place = [names.index(group) for group in table["group"].to_pylist()]
    for i, draw in enumerate(draws):
        written = table.take(pa.array(np.repeat(np.arange(table.num_rows), draw[place])))
        want = slow(open_rows(written, TAXONOMY, "frame"), "max_softmax")
        assert {name: values[name][i] for name in METRICS} == pytest.approx(want)


def test_many_scores_are_joined_into_levels_without_moving_an_interval_visibly() -> None:
    rng = np.random.default_rng(0)
    known = rng.random(20_000) < 0.9
    score = rng.normal(size=20_000) - 1.0 * known
    rows = OpenRows(
        known=known,
        right=known & (rng.random(20_000) < 0.9),
        groups=rng.integers(0, 50, 20_000),
        methods=[],
        scores={"energy": score},
    )
    ones = np.zeros(20_000, np.int64)
    whole = OpenRows(known=rows.known, right=rows.right, groups=ones, methods=[], scores=rows.scores)
    exact = estimates(rows, "energy")
    joined = resampled_figures(whole, "energy", resamples=1)
    for name in METRICS:
        assert joined[name][0] == pytest.approx(exact[name], abs=1e-3)


def test_a_clips_scores_are_of_its_readable_frames() -> None:
    table = unreadable(open_predictions(groups=3, frames=3), [0, 1, 5, 9, 10, 11])
    rows = open_rows(table, TAXONOMY, "clip")
    frames = [row for row in table.to_pylist() if row["valid"]]
    clips = list(dict.fromkeys(row["clip"] for row in frames))
    assert len(rows.known) == len(clips) == len(set(table["clip"].to_pylist())) - 1
    for i, clip in enumerate(clips):
        own = [row for row in frames if row["clip"] == clip]
        p = np.mean([[row[f"p_{name}"] for name in CLASSES] for row in own], axis=0)
        assert rows.scores["max_softmax"][i] == pytest.approx(1 - p.max(), abs=1e-6)
        assert rows.scores["energy"][i] == pytest.approx(np.mean([row["energy"] for row in own]))
        assert rows.scores["prototype_distance"][i] == pytest.approx(np.mean([row["distance"] for row in own]))
        assert rows.known[i] == (own[0]["method"] in CLASSES)
        assert rows.right[i] == (own[0]["method"] == CLASSES[p.argmax()])


def test_predictions_without_energy_and_distance_have_the_one_score() -> None:
    table = open_predictions().drop_columns(["energy", "distance"])
    assert list(open_rows(table, TAXONOMY, "clip").scores) == ["max_softmax"]


def test_a_detector_knows_no_unknown_method() -> None:
    detector = Taxonomy(task="detection", classes=("real", "fake"))
    with pytest.raises(DfxError, match="attribution run"):
        open_rows(open_predictions(), detector, "clip")
