from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from tests.trainers.report.synthetic_runs import CLASSES, predictions
from trainers.robustness.curves import KINDS, curves
from trainers.robustness.figure import draw_curves
from trainers.taxonomy import Taxonomy

TAXONOMY = Taxonomy(task="attribution", classes=CLASSES)


@pytest.mark.parametrize("kinds", [KINDS, KINDS[:1]])
def test_a_picture_has_a_panel_a_kind_and_outlives_what_is_undefined(kinds: tuple[str, ...], tmp_path: Path) -> None:
    results = []
    for store, methods in (("home", CLASSES), ("reals", ("real",))):
        table = predictions(methods, store=store, groups=10)
        degraded = {(kind, level): table for kind in kinds for level in range(1, 6)}
        found = curves(table, degraded, TAXONOMY, threshold=0.5, resamples=10)
        results.append({"run": "run", "store": store, "selection": "", "curves": found})
    draw_curves(results, "detection_auc", tmp_path / "a.svg", metric_name="AUC")
    text = (tmp_path / "a.svg").read_text()
    shown = {"jpeg": "JPEG, quality", "blur": "Gaussian blur", "noise": "Gaussian noise", "scale": "Scaled down"}
    assert [kind for kind, title in shown.items() if title in text] == list(kinds)
    assert "reals" in text


def test_chance_is_drawn_clear_of_the_axis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    points = [{"level": level, "strength": None, "value": 0.9, "interval": None} for level in range(6)]
    result = {"run": "run", "store": "lab", "selection": "", "curves": {"detection_auc": {"jpeg": points}}}
    draw_curves([result], "detection_auc", tmp_path / "a.png", metric_name="AUC")
    assert drawn[0].axes[0].get_ylim()[0] < 0.5
