from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.errors import DfxError, StateError
from tests.trainers.report.synthetic_runs import CLASSES, predictions
from trainers.evaluation import bootstrap
from trainers.evaluation.bootstrap import compare, interval, intervals, resampled
from trainers.metrics import Scored, metrics_of, score, scored
from trainers.taxonomy import Taxonomy

TAXONOMY = Taxonomy(task="attribution", classes=CLASSES)
METRICS = metrics_of("attribution")
ALWAYS = tuple(name for name in METRICS if "tpr" not in name)
"""The metrics that a small table defines."""


@given(skill=st.floats(0, 6), seed=st.integers(0, 1000), groups=st.integers(10, 25), metric=st.sampled_from(ALWAYS))
@settings(max_examples=40, deadline=None)
def test_an_interval_holds_the_estimate_for_any_skill(skill: float, seed: int, groups: int, metric: str) -> None:
    table = predictions(CLASSES, skill=skill, seed=seed, groups=groups, frames=1)
    estimate = score(table, TAXONOMY, threshold=0.7, temperature=1.5)[metric]
    found = interval(table, TAXONOMY, metric, threshold=0.7, temperature=1.5, resamples=100)
    assert found is not None
    assert 0 <= found[0] <= estimate <= found[1] <= 1


@pytest.mark.parametrize("metric", METRICS)
def test_a_draw_is_the_metric_of_the_drawn_groups_written_out(metric: str) -> None:
    table = predictions((*CLASSES, "new"), skill=1.0, groups=12, frames=10)
    values = resampled(table, TAXONOMY, metric, threshold=0.6, temperature=1.5, resamples=5, seed=3)
    names = sorted(set(table["group"].to_pylist()))
    draws = np.random.default_rng(3).multinomial(len(names), np.full(len(names), 1 / len(names)), size=5)
    place = [names.index(group) for group in table["group"].to_pylist()]
    for value, draw in zip(values, draws, strict=True):
        written = table.take(pa.array(np.repeat(np.arange(table.num_rows), draw[place])))
        expected = score(written, TAXONOMY, threshold=0.6, temperature=1.5)[metric]
        assert value == pytest.approx(np.nan if expected is None else expected, nan_ok=True)


def test_an_interval_does_not_depend_on_the_order_of_rows() -> None:
    table = predictions(CLASSES, skill=1.0, groups=15)
    mixed = table.take(pa.array(np.random.default_rng(0).permutation(table.num_rows)))
    for metric in METRICS:
        assert interval(mixed, TAXONOMY, metric, threshold=0.5) == pytest.approx(
            interval(table, TAXONOMY, metric, threshold=0.5)
        )


def test_below_ten_groups_there_is_no_interval() -> None:
    assert interval(predictions(CLASSES, groups=9), TAXONOMY, "detection_auc", threshold=0.5) is None
    assert interval(predictions(CLASSES, groups=10), TAXONOMY, "detection_auc", threshold=0.5) is not None


def test_only_groups_that_enter_the_metric_count() -> None:
    seen, new = predictions(CLASSES, groups=9), predictions(("new",), groups=30, store="other")
    both = pa.concat_tables([seen.replace_schema_metadata(None), new.replace_schema_metadata(None)])
    assert interval(both, TAXONOMY, "attribution_balanced_accuracy", threshold=0.5) is None
    assert interval(both, TAXONOMY, "detection_auc", threshold=0.5) is not None


def test_an_undefined_metric_has_no_interval() -> None:
    reals = predictions(("real",), groups=20)
    assert interval(reals, TAXONOMY, "detection_auc", threshold=0.5) is None
    assert interval(reals, TAXONOMY, "attribution_balanced_accuracy", threshold=0.5) is None
    assert interval(predictions(CLASSES), TAXONOMY, "detection_accuracy", threshold=None) is None


def test_more_frames_of_the_same_people_do_not_narrow_the_interval() -> None:
    table = predictions(CLASSES, skill=1.0, groups=15, frames=1)
    copied = pa.concat_tables([table] * 8)
    once, eightfold = (interval(t, TAXONOMY, "detection_auc", threshold=0.5) for t in (table, copied))
    assert once == pytest.approx(eightfold)


def test_an_unknown_metric_is_named_with_those_there_are() -> None:
    with pytest.raises(DfxError, match="detection_auc"):
        interval(predictions(CLASSES), TAXONOMY, "detection_au", threshold=0.5)


def test_a_metric_that_many_draws_leave_undefined_has_no_interval() -> None:
    table = predictions(CLASSES, groups=20)
    real, one = pc.equal(table["method"], "real"), pc.equal(table["group"], table["group"][0])
    reals_of_one = table.filter(pc.or_(pc.invert(real), one))
    for metric in ("detection_auc", "detection_eer", "detection_balanced_accuracy"):
        assert np.isnan(resampled(reals_of_one, TAXONOMY, metric, threshold=0.5)).mean() > 0.3
        assert interval(reals_of_one, TAXONOMY, metric, threshold=0.5) is None


def test_all_intervals_at_once_are_those_one_by_one() -> None:
    table = predictions((*CLASSES, "new"), skill=1.0, groups=12)
    found = intervals(scored(table, TAXONOMY, threshold=0.6, temperature=2.0), METRICS, resamples=50)
    for metric in METRICS:
        assert found[metric] == interval(table, TAXONOMY, metric, threshold=0.6, temperature=2.0, resamples=50)


def test_draws_in_blocks_are_the_draws_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    table = predictions(CLASSES, skill=1.0, groups=12)
    at_once = interval(table, TAXONOMY, "detection_ap", threshold=0.5, resamples=50)
    monkeypatch.setattr(bootstrap, "_DRAWN", 12 * 7)
    assert [len(block) for block in bootstrap.draws(12, 50, 0)] == [7] * 7 + [1]
    assert interval(table, TAXONOMY, "detection_ap", threshold=0.5, resamples=50) == pytest.approx(at_once)


def two_models(skill: float, other: float) -> tuple[Scored, Scored]:
    """Two models' frames of the same rows."""
    tables = (predictions(CLASSES, skill=s, groups=25, seed=i) for i, s in enumerate((skill, other)))
    one, two = (scored(table, TAXONOMY, threshold=0.8, temperature=1.0) for table in tables)
    return one, two


def test_a_model_is_no_better_than_itself() -> None:
    one, _ = two_models(1.0, 1.0)
    for found in compare(one, one, ALWAYS, resamples=100).values():
        assert (found.difference, found.interval, found.not_better) == (0, (0, 0), 1)


def test_a_better_model_is_better_whether_more_or_less_is_good() -> None:
    strong, weak = two_models(4.0, 0.5)
    names = ("detection_auc", "detection_eer", "attribution_macro_f1")
    forth, back = compare(strong, weak, names, resamples=200), compare(weak, strong, names, resamples=200)
    assert [found.not_better for found in forth.values()] == [0, 0, 0]
    assert [found.not_better for found in back.values()] == [1, 1, 1]
    assert forth["detection_eer"].difference < 0 < forth["detection_auc"].difference
    for name in names:
        low, high = back[name].interval
        assert forth[name].interval == pytest.approx((-high, -low))


def test_the_same_draws_serve_both_models() -> None:
    one, other = two_models(1.2, 1.0)
    found = compare(one, other, ["detection_auc"], resamples=300, seed=5)["detection_auc"]
    tables = [predictions(CLASSES, skill=s, groups=25, seed=i) for i, s in enumerate((1.2, 1.0))]
    values = [resampled(t, TAXONOMY, "detection_auc", threshold=None, resamples=300, seed=5) for t in tables]
    assert found.interval == pytest.approx(np.percentile(values[0] - values[1], [2.5, 97.5]))
    assert found.not_better == pytest.approx((values[0] <= values[1]).mean())


def test_few_groups_have_a_difference_and_no_interval() -> None:
    one = scored(predictions(CLASSES, groups=9), TAXONOMY)
    found = compare(one, one, ["detection_auc", "detection_accuracy"])
    assert (found["detection_auc"].difference, found["detection_auc"].interval) == (0, None)
    assert (found["detection_accuracy"].difference, found["detection_accuracy"].not_better) == (None, None)


def test_different_rows_are_not_compared() -> None:
    one, other = (scored(predictions(CLASSES, groups=g), TAXONOMY) for g in (12, 13))
    with pytest.raises(StateError, match="different rows"):
        compare(one, other, ["detection_auc"])
