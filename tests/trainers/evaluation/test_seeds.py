from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import DfxError
from tests.trainers.report.synthetic_runs import CLASSES, predictions
from trainers.evaluation.evaluate import assess
from trainers.evaluation.seeds import COLUMNS, spreads, table
from trainers.metrics import metrics_of
from trainers.taxonomy import Taxonomy


def result(values: dict[str, float | None], run: str = "s0", **more: object) -> dict:
    """What `evaluate` gives, of a detector."""
    every = dict.fromkeys(metrics_of("detection")) | values
    intervals = {name: None if value is None else [value - 0.1, value + 0.2] for name, value in every.items()}
    facts = {"ref": "shards/a", "split": "test", "fingerprint": "f", "task": "detection", "classes": ["real", "fake"]}
    facts["unseen_people"] = None
    return {"run": run, **facts, "clip": every, "frame": every, "intervals": {"clip": intervals}, **more}


@given(values=st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_a_spread_is_the_statistics_of_its_trainings(values: list[float]) -> None:
    found = {spread.metric: spread for spread in spreads([result({"detection_auc": value}) for value in values])}
    auc = found["detection_auc"]
    assert auc.values == tuple(values)
    assert auc.mean == pytest.approx(statistics.mean(values))
    assert auc.std == pytest.approx(statistics.stdev(values))
    assert (auc.least, auc.most) == (min(values), max(values))
    assert auc.interval == pytest.approx((auc.mean - 0.1, auc.mean + 0.2))


def test_one_training_has_no_spread_and_one_undefined_value_leaves_all_undefined() -> None:
    once = spreads([result({"detection_auc": 0.7})])[0]
    assert (once.mean, once.std, once.least, once.most) == (0.7, None, 0.7, 0.7)
    half = spreads([result({"detection_auc": 0.7}), result({"detection_auc": None})])[0]
    assert (half.values, half.mean, half.interval) == ((), None, None)


@pytest.mark.parametrize(
    "change", [{"split": "val"}, {"fingerprint": "g"}, {"classes": ["real", "a"]}, {"unseen_people": {"clips": {}}}]
)
def test_results_of_other_rows_or_classes_are_no_repetitions(change: dict) -> None:
    with pytest.raises(DfxError, match=f"s0 and s1 are no repetitions: their {next(iter(change))}"):
        spreads([result({}), result({}, run="s1", **change)])


def test_results_of_evaluations_make_a_row_a_metric() -> None:
    taxonomy = Taxonomy(task="attribution", classes=CLASSES)
    facts = {"ref": "a", "split": "test", "fingerprint": "f", "task": "attribution", "classes": list(CLASSES)}
    facts["unseen_people"] = None
    results = [
        {
            "run": f"s{seed}",
            **facts,
            **assess(
                predictions(CLASSES, seed=seed, skill=1, groups=12),
                taxonomy,
                thresholds={"frame": 0.5, "clip": 0.5},
                resamples=30,
            ),
        }
        for seed in range(3)
    ]
    found = spreads(results)
    assert tuple(spread.metric for spread in found) == metrics_of("attribution")
    rows = table(found, {"detection_auc": "AUC"})
    assert [row[0] for row in rows][:2] == ["AUC", "detection_eer"]
    assert {len(row) for row in rows} == {len(COLUMNS)}
    assert all(row[-1] for row in rows if row[1] != "undefined")
    assert sum(row[1] != "undefined" for row in rows) > 8
