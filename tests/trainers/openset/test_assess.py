from __future__ import annotations

import pyarrow as pa
import pytest

from dataengine.errors import DfxError, StateError
from tests.trainers.open_predictions import TAXONOMY, open_predictions
from tests.trainers.report.synthetic_runs import CLASSES
from trainers.openset.assess import assess, fit_threshold
from trainers.openset.measure import METRICS, SCORES, open_rows


@pytest.mark.parametrize("methods", [CLASSES, ("new",)])
def test_without_unknown_or_without_known_rows_every_figure_is_undefined(methods: tuple[str, ...]) -> None:
    found = assess(open_predictions(methods), TAXONOMY, threshold=None, resamples=5)
    for level in ("clip", "frame"):
        assert found[level] == {name: dict.fromkeys(METRICS) for name in SCORES}
    assert 0 in (found["known"]["clips"], found["unknown"]["clips"])


def test_assessing_counts_methods_and_bounds_every_figure() -> None:
    threshold = fit_threshold(open_predictions(CLASSES, split="val"), TAXONOMY)
    found = assess(open_predictions(groups=12), TAXONOMY, threshold=threshold, resamples=200)
    assert found["unknown"] == {"clips": 24, "frames": 96, "methods": {"new": 12, "newer": 12}}
    assert (found["known"]["clips"], found["groups"]) == (12 * len(CLASSES), 12)
    cells = [cell for level in ("clip", "frame") for score in found[level].values() for cell in score.values()]
    for cell in (*cells, found["at_threshold"]["known_accepted"], found["at_threshold"]["unknown_refused"]):
        low, high = cell["interval"]
        assert 0 <= low <= cell["value"] <= high <= 1


def test_few_groups_have_figures_and_no_interval() -> None:
    found = assess(open_predictions(groups=9), TAXONOMY, threshold=None)
    cells = [cell for score in found["clip"].values() for cell in score.values()]
    assert all(cell["value"] is not None and cell["interval"] is None for cell in cells)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("groups", [3, 10, 17])
def test_the_threshold_accepts_95_percent_of_the_known_and_a_lower_one_fewer(score: str, groups: int) -> None:
    validation = open_predictions(split="val", groups=groups)
    found = fit_threshold(validation, TAXONOMY, score)
    rows = open_rows(validation, TAXONOMY, "clip")
    known = rows.scores[score][rows.known]
    assert (found["score"], found["num_clips"], found["level"], found["accepted"]) == (score, len(known), "clip", 0.95)
    assert (known <= found["threshold"]).mean() >= 0.95
    assert (known < found["threshold"]).mean() < 0.95


def test_a_threshold_never_sees_what_is_unknown() -> None:
    known, both = open_predictions(CLASSES, split="val"), open_predictions(split="val")
    keep = pa.array([method in CLASSES for method in both["method"].to_pylist()])
    assert fit_threshold(both, TAXONOMY) == fit_threshold(both.filter(keep), TAXONOMY)
    assert fit_threshold(known, TAXONOMY)["num_clips"] == fit_threshold(both, TAXONOMY)["num_clips"]


def test_a_score_that_is_unknown_or_not_there_is_one_line() -> None:
    table = open_predictions(CLASSES)
    with pytest.raises(DfxError, match=r"unknown open-set score 'energie'; did you mean energy\?"):
        fit_threshold(table, TAXONOMY, "energie")
    with pytest.raises(StateError, match="no column 'energy'"):
        fit_threshold(table.drop_columns(["energy"]), TAXONOMY, "energy")
