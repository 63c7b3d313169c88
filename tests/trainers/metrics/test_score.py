from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    roc_auc_score,
)

from dataengine.errors import StateError
from tests.trainers.report.synthetic_runs import CLASSES, predictions
from trainers.metrics import (
    clip_table,
    confusion,
    equal_error_rate,
    equal_error_threshold,
    methods_unseen,
    metrics_of,
    score,
    selection_metric,
)
from trainers.taxonomy import Taxonomy

ABC = Taxonomy(task="attribution", classes=("real", "a", "b"))
DETECTOR = Taxonomy(task="detection", classes=("real", "fake"))


def table(methods: list[str], p: list[tuple[float, ...]], taxonomy: Taxonomy = ABC, **more: list) -> pa.Table:
    """One frame a row, each its own clip and group unless `more` says otherwise."""
    n = len(methods)
    columns = {
        "key": [f"k{i}" for i in range(n)],
        "clip": [f"c{i}" for i in range(n)],
        "group": [f"g{i}" for i in range(n)],
        "label": pa.array([int(m != "real") for m in methods], pa.int8()),
        "method": methods,
        "valid": [True] * n,
    }
    for i, name in enumerate(taxonomy.classes):
        columns[f"p_{name}"] = pa.array([None if row is None else row[i] for row in p], pa.float32())
    return pa.table({**columns, **more})


def test_scores_of_a_table_worked_out_by_hand() -> None:
    frames = table(
        ["real", "real", "a", "a", "b"],
        [(0.9, 0.1, 0.0), (0.3, 0.6, 0.1), (0.2, 0.7, 0.1), (0.1, 0.2, 0.7), (0.6, 0.1, 0.3)],
    )
    found = score(frames, ABC, threshold=0.5)
    # p(fake): reals 0.1, 0.7; fakes 0.8, 0.9, 0.4. Five of the six pairs are in order.
    assert found["detection_auc"] == pytest.approx(5 / 6)
    # Called fake at 0.5: one of two reals, two of three fakes.
    assert found["detection_balanced_accuracy"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["detection_accuracy"] == pytest.approx(3 / 5)
    # Recall: real 1/2, a 1/2, b 0.
    assert found["attribution_balanced_accuracy"] == pytest.approx(1 / 3)
    assert found["attribution_accuracy"] == pytest.approx(2 / 5)
    # F1: real 2*1/(2+2), a 2*1/(2+2), b 0.
    assert found["attribution_macro_f1"] == pytest.approx(1 / 3)
    assert (found["num"], found["attribution_num"], found["unseen_num"], found["unseen_methods"]) == (5, 5, 0, 0)


def test_scores_agree_with_scikit_learn() -> None:
    taxonomy = Taxonomy(task="attribution", classes=CLASSES)
    frames = predictions(CLASSES, skill=1.0, groups=30)
    p = np.stack([frames[f"p_{name}"].to_numpy() for name in CLASSES], axis=1)
    truth = np.array([CLASSES.index(method) for method in frames["method"].to_pylist()])
    found = score(frames, taxonomy, threshold=0.5)
    assert found["attribution_balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, p.argmax(axis=1)))
    assert found["attribution_macro_f1"] == pytest.approx(f1_score(truth, p.argmax(axis=1), average="macro"))
    assert found["attribution_accuracy"] == pytest.approx(accuracy_score(truth, p.argmax(axis=1)))
    p_fake = 1 - p[:, 0].astype(np.float64)
    assert found["detection_auc"] == pytest.approx(roc_auc_score(truth > 0, p_fake))
    assert found["detection_ap"] == pytest.approx(average_precision_score(truth > 0, p_fake))
    at_threshold = score(frames, taxonomy, threshold=0.8)
    called = p_fake >= 0.8
    assert at_threshold["detection_balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth > 0, called))
    assert at_threshold["detection_accuracy"] == pytest.approx(accuracy_score(truth > 0, called))
    assert at_threshold["detection_macro_f1"] == pytest.approx(f1_score(truth > 0, called, average="macro"))
    assert at_threshold["detection_accuracy_at_half"] == pytest.approx(accuracy_score(truth > 0, p_fake >= 0.5))


@pytest.mark.parametrize("methods", [["real", "real", "real"], ["a", "b", "a"]])
def test_auc_and_equal_error_rate_of_one_label_are_undefined(methods: list[str]) -> None:
    found = score(table(methods, [(0.5, 0.3, 0.2)] * 3), ABC, threshold=0.5)
    assert found["detection_auc"] is None
    assert found["detection_eer"] is None
    assert found["detection_balanced_accuracy"] is None
    assert equal_error_threshold(np.array([1, 1]), np.array([0.2, 0.3])) is None


def test_nothing_is_defined_where_no_row_is_left() -> None:
    found = score(table(["real"], [(1.0, 0.0, 0.0)]).slice(1), ABC, threshold=0.5)
    assert found["num"] == 0
    assert all(found[metric] is None for metric in metrics_of("attribution"))


def test_without_a_threshold_only_what_needs_one_is_undefined() -> None:
    found = score(table(["real", "a"], [(0.9, 0.1, 0.0), (0.1, 0.9, 0.0)]), ABC, threshold=None)
    assert found["detection_balanced_accuracy"] is None
    assert found["detection_accuracy"] is None
    assert found["detection_auc"] == 1.0


rates = st.lists(st.tuples(st.booleans(), st.integers(1, 400)), min_size=4, max_size=60).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


@given(rates)
@settings(max_examples=60, deadline=None)
def test_auc_does_not_change_under_a_monotone_map(rows: list[tuple[bool, int]]) -> None:
    methods = ["a" if label else "real" for label, _ in rows]
    straight, bent = ([level / 512 for _, level in rows], [(level / 512) ** 2 for _, level in rows])
    aucs = [
        score(table(methods, [(1 - p, p, 0.0) for p in values]), ABC, threshold=None)["detection_auc"]
        for values in (straight, bent)
    ]
    assert aucs[0] == pytest.approx(aucs[1])


@given(rates)
@settings(max_examples=60, deadline=None)
def test_the_error_rates_at_the_threshold_are_as_near_as_any_threshold_brings_them(
    rows: list[tuple[bool, int]],
) -> None:
    labels, p = np.array([label for label, _ in rows], int), np.array([level / 512 for _, level in rows])

    def gap(threshold: float) -> float:
        return abs((p[labels == 0] >= threshold).mean() - (p[labels == 1] < threshold).mean())

    chosen = equal_error_threshold(labels, p)
    assert chosen is not None
    assert gap(chosen) == pytest.approx(min(gap(t) for t in [*p, 1.0]))


@given(rates)
@settings(max_examples=60, deadline=None)
def test_equal_error_rate_lies_between_perfect_and_reversed(rows: list[tuple[bool, int]]) -> None:
    labels, p = np.array([label for label, _ in rows], int), np.array([level / 512 for _, level in rows])
    assert 0 <= equal_error_rate(labels, p) <= 1
    assert equal_error_rate(labels, p) == pytest.approx(1 - equal_error_rate(1 - labels, p), abs=1e-9)


def test_equal_error_rate_of_separated_scores_is_zero() -> None:
    labels, p = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])
    assert equal_error_rate(labels, p) == 0
    assert equal_error_threshold(labels, p) == pytest.approx(0.5)


def test_unseen_methods_are_scored_for_detection_and_never_enter_attribution() -> None:
    seen = [("real", (0.8, 0.1, 0.1)), ("a", (0.1, 0.8, 0.1)), ("b", (0.1, 0.6, 0.3))]
    new = [("new", (0.7, 0.2, 0.1)), ("newer", (0.0, 0.0, 1.0))]
    without = score(table([m for m, _ in seen], [p for _, p in seen]), ABC, threshold=0.5)
    found = score(table([m for m, _ in seen + new], [p for _, p in seen + new]), ABC, threshold=0.5)
    for metric in ("attribution_balanced_accuracy", "attribution_accuracy", "attribution_macro_f1", "attribution_num"):
        assert found[metric] == without[metric]
    assert (found["unseen_num"], found["unseen_methods"], found["num"]) == (2, 2, 5)
    assert found["detection_accuracy"] == pytest.approx(4 / 5)


def test_attribution_is_undefined_where_every_fake_is_unseen() -> None:
    frames = table(["real", "real", "new"], [(0.8, 0.1, 0.1), (0.9, 0.1, 0.0), (0.2, 0.7, 0.1)])
    found = score(frames, ABC, threshold=0.5)
    assert found["attribution_balanced_accuracy"] is None
    assert found["attribution_macro_f1"] is None
    assert found["detection_auc"] == 1.0
    assert methods_unseen(frames, ABC) == {"new": 1}


def test_macro_f1_runs_over_the_classes_present_in_the_truth() -> None:
    # Nothing is of method b; that one row is taken for b lowers a's recall and adds no third F1 of zero.
    found = score(table(["real", "a", "a"], [(0.9, 0.1, 0.0), (0.1, 0.9, 0.0), (0.1, 0.1, 0.8)]), ABC, threshold=None)
    assert found["attribution_macro_f1"] == pytest.approx((1 + 2 / 3) / 2)


def test_confusion_has_a_row_for_unseen_methods_and_a_column_for_every_class() -> None:
    frames = table(["b", "new", "real", "b"], [(0.1, 0.1, 0.8), (0.2, 0.7, 0.1), (0.9, 0.1, 0.0), (0.1, 0.8, 0.1)])
    found = confusion(frames, ABC)
    assert found.rows == ("real", "b", "new")
    assert found.columns == ABC.classes
    assert found.counts == ((1, 0, 0), (0, 1, 1), (0, 1, 0))
    assert found.unseen == ("new",)


def test_a_detectors_confusion_tells_its_rows_by_method() -> None:
    frames = table(["real", "a", "b"], [(0.9, 0.1), (0.2, 0.8), (0.7, 0.3)], DETECTOR)
    found = confusion(frames, DETECTOR)
    assert found.rows == ("real", "a", "b")
    assert found.counts == ((1, 0), (0, 1), (1, 0))
    assert found.unseen == ()


def test_a_clip_is_the_mean_of_its_readable_frames() -> None:
    frames = table(
        ["a", "a", "real", "a", "real"],
        [(0.2, 0.8, 0.0), (0.4, 0.6, 0.0), (0.9, 0.1, 0.0), None, None],
        clip=["x", "x", "y", "x", "z"],
        group=["g", "g", "h", "g", "i"],
        valid=[True, True, True, False, False],
    )
    clips = clip_table(frames)
    assert clips["clip"].to_pylist() == ["x", "y"]
    assert clips["p_a"].to_pylist() == pytest.approx([0.7, 0.1])
    assert clips["frames"].to_pylist() == [2, 1]
    assert clips["unreadable"].to_pylist() == [1, 0]
    assert (clips["group"].to_pylist(), clips["method"].to_pylist()) == (["g", "h"], ["a", "real"])


def test_unreadable_frames_enter_no_score() -> None:
    good = table(["real", "a"], [(0.9, 0.1, 0.0), (0.1, 0.9, 0.0)])
    bad = table(["a", "b"], [None, None], valid=[False, False])
    assert score(pa.concat_tables([good, bad]), ABC, threshold=0.5) == score(good, ABC, threshold=0.5)


def test_predictions_of_another_taxonomy_are_refused_by_name() -> None:
    with pytest.raises(StateError, match="p_b"):
        score(table(["real"], [(0.9, 0.1)], Taxonomy(task="attribution", classes=("real", "a"))), ABC, threshold=0.5)


@pytest.mark.parametrize("task", ["attribution", "detection"])
def test_selection_maximises_a_metric_that_is_scored(task: str) -> None:
    assert selection_metric(task) in metrics_of(task)


def test_reals_that_float32_takes_for_certain_are_still_told_apart() -> None:
    frames = table(["real"] * 3 + ["a"] * 3, [(1.0, 10.0**-k, 0.0) for k in (12, 11, 10, 9, 8.5, 8)])
    assert score(frames, ABC, threshold=None)["detection_auc"] == 1.0


def test_a_probability_that_is_no_number_is_refused() -> None:
    with pytest.raises(StateError, match="1 predictions of readable samples are not numbers"):
        score(table(["real", "a"], [(0.9, 0.1, 0.0), (float("nan"), 0.5, 0.5)]), ABC, threshold=0.5)


def test_scores_do_not_depend_on_the_order_of_rows_or_of_columns_beside_them() -> None:
    taxonomy = Taxonomy(task="attribution", classes=CLASSES)
    frames = predictions((*CLASSES, "new"), skill=1.0)
    mixed = frames.take(pa.array(np.random.default_rng(0).permutation(len(frames))))
    wider = mixed.append_column("energy", pa.array(np.zeros(len(frames), np.float32)))
    one, other = (score(t, taxonomy, threshold=0.6, temperature=1.3) for t in (frames, wider))
    assert other == pytest.approx(one)
