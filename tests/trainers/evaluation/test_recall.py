from __future__ import annotations

import pytest

from tests.trainers.report.synthetic_runs import CLASSES, METHODS, predictions
from trainers.evaluation.recall import recall_by_method
from trainers.metrics import clip_table, confusion, scored
from trainers.taxonomy import Taxonomy

TAXONOMY = Taxonomy(task="attribution", classes=CLASSES)


def test_recall_is_the_confusion_matrixs_diagonal_over_its_line() -> None:
    table = clip_table(predictions((*CLASSES, "new"), skill=1.0, groups=12))
    matrix = confusion(table, TAXONOMY)
    found = recall_by_method(scored(table, TAXONOMY, threshold=0.5), TAXONOMY, resamples=50)
    assert sorted(found) == sorted(matrix.rows)
    for name, counts in zip(matrix.rows, matrix.counts, strict=True):
        one = found[name]
        assert (one["num"], one["groups"]) == (sum(counts), 12)
        if name == "new":
            assert (one["attribution"], one["attribution_interval"]) == (None, None)
        else:
            assert one["attribution"] == pytest.approx(counts[CLASSES.index(name)] / sum(counts))


def test_fakes_are_found_by_the_threshold_and_reals_below_it() -> None:
    table = predictions(CLASSES, groups=10, frames=1)
    for threshold, real, fake in ((0.0, 0.0, 1.0), (1.1, 1.0, 0.0)):
        found = recall_by_method(scored(table, TAXONOMY, threshold=threshold), TAXONOMY, resamples=10)
        assert found["real"]["detection"] == real
        assert {found[name]["detection"] for name in METHODS} == {fake}
        assert found["real"]["detection_interval"] == (real, real)


def test_without_a_threshold_nothing_is_found_or_missed() -> None:
    found = recall_by_method(scored(predictions(CLASSES), TAXONOMY), TAXONOMY, resamples=10)
    assert {one["detection"] for one in found.values()} == {None}


def test_groups_that_hold_the_method_are_the_ones_that_count() -> None:
    frames = predictions(CLASSES, groups=12, frames=1)
    few = frames.filter([m != "faceswap" or g < "ff++/test/009" for m, g in zip(
        frames["method"].to_pylist(), frames["group"].to_pylist(), strict=True)])  # fmt: skip
    found = recall_by_method(scored(few, TAXONOMY, threshold=0.5), TAXONOMY, resamples=20)
    assert (found["faceswap"]["groups"], found["faceswap"]["attribution_interval"]) == (9, None)
    assert found["real"]["attribution_interval"] is not None
