from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import DfxError
from tests.trainers.report.synthetic_runs import CLASSES, predictions
from trainers.degradation.measure import DERIVED, METRICS, EvalSet, assess, degradation, resampled_metric, sharing
from trainers.evaluation.group_weights import draw_groups
from trainers.metrics import score, scored
from trainers.taxonomy import Taxonomy

FIXTURES = Path(__file__).parents[1] / "fixtures"
TAXONOMY = Taxonomy(task="attribution", classes=CLASSES)
UNSEEN = ("FS_pct", "NT_pct", "DF_pct", "DFD_pct")
ROUNDED = 0.005 + 1e-9
"""Half of the last digit that the study prints."""


def published(table: str) -> list[dict[str, str]]:
    with next(FIXTURES.glob(f"degradation_table_{table}_*.csv")).open(encoding="utf-8") as stream:
        assert stream.readline().startswith("# Li, Sun and Poskitt")
        return list(csv.DictReader(stream))


def numbers(row: dict[str, str], *names: str) -> list[float]:
    return [float(row[name]) for name in names]


def test_the_published_degradations_follow_from_the_published_accuracies() -> None:
    rows = published("v")
    assert len(rows) == 30
    for row in rows:
        found = degradation(float(row["original_pct"]), numbers(row, *UNSEEN))
        assert found["unseen_average"] == pytest.approx(float(row["unseen_average_pct"]), abs=ROUNDED)
        assert found["degradation"] == pytest.approx(float(row["degradation_points"]), abs=ROUNDED)


@pytest.mark.parametrize(
    ("table", "count", "sets", "average", "specialised"),
    [
        ("vi", 9, ("CELEB_M_pct",), "CELEB_M_pct", "CELEB_M_degradation_points"),
        ("vii", 7, ("FS_I_pct", "NT_I_pct"), "specialised_average_pct", "specialised_degradation_points"),
    ],
)
def test_the_published_differences_on_specialised_sets_follow_from_the_published_accuracies(
    table: str, count: int, sets: tuple[str, ...], average: str, specialised: str
) -> None:
    rows = published(table)
    assert len(rows) == count
    for row in rows:
        found = degradation(float(row["original_pct"]), numbers(row, *UNSEEN), numbers(row, *sets))
        assert found["unseen_average"] == pytest.approx(float(row["unseen_average_pct"]), abs=ROUNDED)
        assert found["degradation"] == pytest.approx(float(row["unseen_degradation_points"]), abs=ROUNDED)
        assert found["specialised_average"] == pytest.approx(float(row[average]), abs=ROUNDED)
        assert found["specialised_degradation"] == pytest.approx(float(row[specialised]), abs=ROUNDED)
        assert found["difference"] == pytest.approx(float(row["degradation_difference_points"]), abs=ROUNDED)


def test_the_published_tables_agree_on_the_original_accuracies_and_their_averages() -> None:
    detectors = published("iv")
    original = {row["detector"]: float(row["original_accuracy_pct"]) for row in detectors}
    for row in (*published("v"), *published("vi"), *published("vii")):
        assert float(row["original_pct"]) == original[row["detector"]]
    for row in detectors:
        own = [original[other["detector"]] for other in detectors if other["architecture"] == row["architecture"]]
        assert np.mean(own) == pytest.approx(float(row["architecture_average_pct"]), abs=ROUNDED)


def test_the_difference_is_the_degradations_difference() -> None:
    found = degradation(0.9, [0.5, 0.6], [0.8])
    assert found["difference"] == pytest.approx(found["degradation"] - found["specialised_degradation"])
    assert set(found) == set(DERIVED)
    assert set(degradation(0.9, [0.5])) == {"unseen_average", "degradation"}


def test_without_an_unseen_set_there_is_no_degradation() -> None:
    with pytest.raises(DfxError, match="at least one set"):
        degradation(0.9, [])


@given(groups=st.lists(st.sets(st.sampled_from("abcdef"), min_size=1, max_size=3), max_size=6))
def test_sets_are_together_exactly_where_a_chain_of_shared_groups_joins_them(groups: list[set[str]]) -> None:
    parts = sharing(groups)
    assert sorted(i for part in parts for i in part) == list(range(len(groups)))
    reach = [[bool(a & b) for b in groups] for a in groups]
    for k in range(len(groups)):
        reach = [[reach[i][j] or (reach[i][k] and reach[k][j]) for j in range(len(groups))] for i in range(len(groups))]
    together = {(i, j) for part in parts for i in part for j in part}
    assert together == {(i, j) for i in range(len(groups)) for j in range(len(groups)) if reach[i][j]}


@pytest.mark.parametrize("metric", METRICS)
def test_a_draw_is_the_metric_of_the_drawn_groups_written_out(metric: str) -> None:
    table = predictions((*CLASSES, "new"), skill=1.0, groups=12, frames=2)
    rows = scored(table, TAXONOMY)
    names = np.array(table["group"].to_pylist())
    entering = names[rows.seen] if metric.startswith("attribution") else names
    draws = draw_groups(names, resamples=5, seed=3)
    values = resampled_metric(metric, rows, entering, draws, 0.6)
    place = draws.place(names)
    for value, draw in zip(values, draws.weights.astype(int), strict=True):
        written = table.take(pa.array(np.repeat(np.arange(table.num_rows), draw[place])))
        assert value == pytest.approx(score(written, TAXONOMY, threshold=0.6)[metric])


def three_sets(*, groups: int = 15) -> list[EvalSet]:
    return [
        EvalSet(role="original", name="home", table=predictions(CLASSES, groups=groups, skill=3)),
        EvalSet(role="unseen", name="lab", table=predictions(CLASSES, groups=groups, skill=1, store="lab")),
        EvalSet(role="unseen", name="away", table=predictions(("real", "new"), groups=groups, skill=1, store="away")),
    ]


def test_a_runs_degradation_is_that_of_its_values_and_lies_within_its_interval() -> None:
    sets = three_sets()
    found = assess(sets, TAXONOMY, "detection_accuracy", threshold=0.5, resamples=200)
    values = [score(one.table, TAXONOMY, threshold=0.5)["detection_accuracy"] for one in sets]
    assert [one["value"] for one in found["sets"]] == values
    assert found["degradation"]["value"] == pytest.approx(values[0] - (values[1] + values[2]) / 2)
    for cell in (*found["sets"], found["unseen_average"], found["degradation"]):
        low, high = cell["interval"]
        assert low <= cell["value"] <= high
    assert "difference" not in found


def test_two_selections_of_one_store_are_drawn_together() -> None:
    """The same rows twice: drawn together their difference is 0 in every draw, drawn apart it is not."""
    table = predictions(CLASSES, groups=15, skill=1)
    twice = [EvalSet(role="original", name="a", table=table), EvalSet(role="unseen", name="b", table=table)]
    found = assess(twice, TAXONOMY, "detection_accuracy", threshold=0.5, resamples=100)
    assert found["degradation"] == {"value": 0.0, "interval": (0.0, 0.0)}


def test_stores_of_other_people_are_drawn_independently() -> None:
    """Two stores with the same rows under other names: their difference varies, and by about the sum of variances."""
    table = predictions(CLASSES, groups=15, skill=1)
    renamed = table.set_column(
        table.column_names.index("group"), "group", pc.binary_join_element_wise("other", table["group"], "/")
    )
    sets = [EvalSet(role="original", name="a", table=table), EvalSet(role="unseen", name="b", table=renamed)]
    found = assess(sets, TAXONOMY, "detection_accuracy", threshold=0.5)
    one = np.subtract(*found["sets"][0]["interval"][::-1])
    both = np.subtract(*found["degradation"]["interval"][::-1])
    assert both == pytest.approx(one * 2**0.5, rel=0.2)


def test_a_set_without_a_value_leaves_what_follows_from_it_undefined() -> None:
    sets = three_sets()
    reals = EvalSet(role="specialised", name="reals", table=predictions(("real",), groups=15, store="reals"))
    found = assess([*sets, reals], TAXONOMY, "detection_auc", threshold=None, resamples=50)
    undefined = {"value": None, "interval": None}
    assert [name for name in DERIVED if found[name] == undefined] == list(DERIVED[2:])
    assert found["degradation"]["interval"] is not None


def test_a_set_of_methods_that_are_all_unseen_has_no_attribution_to_lose() -> None:
    sets = three_sets()
    new = EvalSet(role="unseen", name="new", table=predictions(("new",), groups=15, store="new"))
    found = assess([*sets[:2], new], TAXONOMY, "attribution_accuracy", threshold=None, resamples=50)
    assert found["sets"][2]["value"] is None
    assert found["degradation"] == {"value": None, "interval": None}


def test_few_groups_have_values_and_no_interval() -> None:
    found = assess(three_sets(groups=9), TAXONOMY, "detection_accuracy", threshold=0.5)
    assert found["degradation"]["value"] is not None
    assert found["degradation"]["interval"] is None


def test_what_is_no_degradation_is_one_line() -> None:
    sets = three_sets()
    with pytest.raises(DfxError, match=r"'detection_eer'.*detection_auc"):
        assess(sets, TAXONOMY, "detection_eer", threshold=0.5)
    detector = Taxonomy(task="detection", classes=("real", "fake"))
    with pytest.raises(
        DfxError, match="attribution_accuracy is of attribution, and the run tells real from fake alone"
    ):
        assess(sets, detector, "attribution_accuracy", threshold=0.5)
    with pytest.raises(DfxError, match="exactly one original"):
        assess(sets[1:], TAXONOMY, "detection_accuracy", threshold=0.5)
