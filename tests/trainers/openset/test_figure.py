from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainers.open_predictions import TAXONOMY, open_predictions
from tests.trainers.report.synthetic_runs import CLASSES
from trainers.openset.assess import assess, fit_threshold
from trainers.openset.figure import draw_openset
from trainers.openset.measure import open_rows


@pytest.mark.parametrize("score", ["max_softmax", "energy"])
def test_a_picture_has_a_row_a_store_and_says_what_is_undefined(score: str, tmp_path: Path) -> None:
    threshold = fit_threshold(open_predictions(CLASSES, split="val"), TAXONOMY, score)
    results = []
    for name, methods in (("home", CLASSES), ("away", ("real", "new")), ("new", ("new",))):
        table = open_predictions(methods, store=name, groups=12)
        found = assess(table, TAXONOMY, threshold=threshold, resamples=5)
        result = {"run": "run $1", "store": name, "selection": "", "threshold": threshold, **found}
        results.append((result, open_rows(table, TAXONOMY, "clip")))
    draw_openset(results, tmp_path / "a.svg")
    draw_openset(results, tmp_path / "b.svg")
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    for said in ("run $1", "home", "no clip of unknown methods", "no clip of known methods"):
        assert said in text


def test_predictions_without_the_thresholds_score_are_said_to_lack_it(tmp_path: Path) -> None:
    threshold = fit_threshold(open_predictions(CLASSES, split="val"), TAXONOMY, "energy")
    rows = open_rows(open_predictions().drop_columns(["energy", "distance"]), TAXONOMY, "clip")
    draw_openset([({"run": "r", "store": "old", "selection": "", "threshold": threshold}, rows)], tmp_path / "a.svg")
    assert "the predictions hold no such score" in (tmp_path / "a.svg").read_text()
