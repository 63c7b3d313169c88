from __future__ import annotations

from pathlib import Path

from tests.trainers.report.synthetic_runs import CLASSES, predictions
from trainers.degradation.figure import draw_degradations
from trainers.degradation.measure import EvalSet, assess
from trainers.taxonomy import Taxonomy

TAXONOMY = Taxonomy(task="attribution", classes=CLASSES)


def test_a_picture_has_a_row_a_run_with_the_points_it_lost(tmp_path: Path) -> None:
    results = []
    for skill in (3, 1):
        sets = [
            EvalSet(role="original", name="home", table=predictions(CLASSES, groups=10, skill=skill)),
            EvalSet(role="unseen", name="away", table=predictions(("real", "new"), groups=10, store="away")),
            EvalSet(role="specialised", name="reals", table=predictions(("real",), groups=10, store="reals")),
        ]
        found = assess(sets, TAXONOMY, "detection_auc", threshold=None, resamples=10)
        results.append({"run": f"run{skill}", "level": "clip", **found})
    undefined = {"value": None, "interval": None}
    sets_without = [{**one, "value": None, "interval": None} for one in results[0]["sets"]]
    results.append({**results[0], "run": "none", "sets": sets_without, "degradation": undefined,
                    "unseen_average": undefined})  # fmt: skip
    draw_degradations(results, tmp_path / "a.svg", metric_name="AUC")
    text = (tmp_path / "a.svg").read_text()
    lost = f"{100 * results[0]['degradation']['value']:.1f}"
    for said in ("run3", "run1", "none", "away", "reals (specialised)", "undefined", lost):
        assert said in text
