from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.trainers.report.synthetic_runs import CLASSES, predictions
from trainers.evaluation.assess import levels_of
from trainers.evaluation.reliability import FEW, draw_reliability, reliability_of
from trainers.metrics import score, scored
from trainers.taxonomy import Taxonomy

TAXONOMY = Taxonomy(task="attribution", classes=CLASSES)


@pytest.mark.parametrize("task", ["detection", "attribution"])
def test_the_diagrams_gaps_are_the_calibration_error(task: str) -> None:
    table = predictions((*CLASSES, "new"), skill=1.0)
    rows = scored(table, TAXONOMY)
    found = reliability_of(rows, task, rows.p)
    there = found.num > 0
    error = (found.num * np.abs(found.accuracy - found.confidence))[there].sum() / found.num.sum()
    assert error == pytest.approx(score(table, TAXONOMY, threshold=None)[f"{task}_ece"])


def test_the_same_numbers_draw_the_same_picture(tmp_path: Path) -> None:
    levels = {name: scored(level, TAXONOMY, temperature=2.0) for name, level in levels_of(predictions(CLASSES)).items()}
    for name in ("one", "two"):
        draw_reliability(levels, TAXONOMY, tmp_path / name, title="a run on $ff++$")
    data = (tmp_path / "one").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert data == (tmp_path / "two").read_bytes()


def test_bins_of_few_answers_are_hollow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    rows = scored(levels_of(predictions(CLASSES, skill=1.0))["clip"], TAXONOMY)
    draw_reliability({"clip": rows}, TAXONOMY, tmp_path / "a.png", title="a")
    found = reliability_of(rows, "detection", rows.p)
    few = (found.num > 0) & (found.num < FEW)
    (hollow,) = (line for line in drawn[0].axes[0].lines if line.get_markerfacecolor() == "white")
    assert few.any()
    assert np.array_equal(hollow.get_xdata(), found.confidence[few])
