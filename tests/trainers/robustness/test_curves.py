from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest

from dataengine.augment import ROBUSTNESS
from dataengine.errors import DfxError
from tests.trainers.report.synthetic_runs import CLASSES, predictions
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.evaluation.bootstrap import interval
from trainers.evaluation.predicted import Computing
from trainers.fit import fit
from trainers.metrics import clip_table, metrics_of, score
from trainers.robustness.curves import curves, robustness
from trainers.taxonomy import Taxonomy

TAXONOMY = Taxonomy(task="attribution", classes=CLASSES)
CPU = Computing(device="cpu", backend="cpu", threads=1)


def degraded(kind: str = "jpeg", *, groups: int = 12) -> dict[tuple[str, int], pa.Table]:
    return {(kind, level): predictions(CLASSES, skill=3 - level / 2, groups=groups) for level in range(1, 6)}


def test_each_point_is_the_score_of_its_level_with_its_interval() -> None:
    tables, untouched = degraded(), predictions(CLASSES, skill=3, groups=12)
    found = curves(untouched, tables, TAXONOMY, threshold=0.5, resamples=50)
    assert list(found) == list(metrics_of("attribution"))
    for metric, kinds in found.items():
        assert list(kinds) == ["jpeg"]
        points = kinds["jpeg"]
        assert [point["level"] for point in points] == list(range(6))
        assert [point["strength"] for point in points] == [None, *ROBUSTNESS["jpeg"]]
        for point in points:
            clips = clip_table(tables["jpeg", point["level"]] if point["level"] else untouched)
            assert point["value"] == score(clips, TAXONOMY, threshold=0.5)[metric]
            assert point["interval"] == interval(clips, TAXONOMY, metric, threshold=0.5, resamples=50)
            if point["value"] is None:
                assert point["change"] is None
            else:
                assert point["change"] == pytest.approx(point["value"] - points[0]["value"])
    undefined = {metric for metric, kinds in found.items() if kinds["jpeg"][0]["value"] is None}
    assert all("tpr_at_fpr" in metric or "ece_scaled" in metric for metric in undefined)  # few reals, no temperature


def test_a_change_is_drawn_in_pairs() -> None:
    """The same predictions at every level: whoever is drawn, nothing changes."""
    table = predictions(CLASSES, skill=1, groups=12)
    found = curves(table, {("blur", level): table for level in range(1, 6)}, TAXONOMY, threshold=0.5, resamples=50)
    defined = [kinds["blur"] for kinds in found.values() if kinds["blur"][0]["value"] is not None]
    assert len(defined) > 8
    for points in defined:
        for point in points:
            assert (point["change"], point["change_interval"]) == (0.0, (0.0, 0.0))


def test_what_is_undefined_stays_undefined_at_every_level() -> None:
    reals = predictions(("real",), groups=12)
    found = curves(reals, {("blur", level): reals for level in range(1, 6)}, TAXONOMY, threshold=None, resamples=20)
    two_labels = ("auc", "eer", "ap", "balanced_accuracy", "macro_f1")
    for metric, kinds in found.items():
        for point in kinds["blur"] if metric.endswith(two_labels) else ():
            assert [point[name] for name in ("value", "interval", "change", "change_interval")] == [None] * 4


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("shards") / "home", clips={"train": 4, "val": 2, "test": 3}, frames=1)


@pytest.fixture(scope="module")
def run(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "small"
    settings = {"model": "test_resnet", "weights": "none", "size": 32, "batch": 9, "epochs": 1}
    fit(TrainConfig(data=(str(store),), device="cpu", backend="cpu", threads=1, **settings), path)
    return path


def test_a_run_is_predicted_once_at_each_level(run: Path, store: Path) -> None:
    asked: list[str] = []
    first = robustness(
        run, [str(store)], kinds=["noise"], computing=CPU, resamples=10, on_progress=lambda what, *_: asked.append(what)
    )
    assert asked == [str(store), *(f"{store}, robustness:noise:{level}" for level in range(1, 6))]
    again = robustness(
        run, [str(store)], kinds=["noise"], computing=CPU, resamples=10, on_progress=lambda what, *_: asked.append(what)
    )
    assert (len(asked), again) == (6, first)
    assert (first[0]["store"], first[0]["clips"], first[0]["groups"]) == ("home", 9, 3)
    json.dumps(first, allow_nan=False)
    values = {point["value"] for point in first[0]["curves"]["detection_auc"]["noise"]}
    assert len(values) > 1


def test_predictions_of_other_weights_are_made_again(run: Path, store: Path) -> None:
    asked: list[str] = []
    robustness(run, [str(store)], kinds=["blur"], computing=CPU, resamples=10)
    weights = run / "model.safetensors"
    before = weights.read_bytes()
    stem = next((run / "predictions").glob("home-test-*.parquet"))
    stamp = os.stat(stem).st_mtime_ns
    try:
        # Other bytes of the same tensors: safetensors allows spaces at the end of its header.
        size = int.from_bytes(before[:8], "little")
        weights.write_bytes((size + 8).to_bytes(8, "little") + before[8 : 8 + size] + b" " * 8 + before[8 + size :])
        robustness(
            run,
            [str(store)],
            kinds=["blur"],
            computing=CPU,
            resamples=10,
            on_progress=lambda what, *_: asked.append(what),
        )
    finally:
        weights.write_bytes(before)
    assert len(asked) == 6
    assert os.stat(stem).st_mtime_ns > stamp


def test_an_unknown_kind_or_split_is_one_line_before_anything_is_predicted(run: Path, store: Path) -> None:
    before = sorted((run / "predictions").rglob("*"))
    with pytest.raises(DfxError, match=r"unknown degradation 'jpg'; did you mean jpeg\?"):
        robustness(run, [str(store)], kinds=["jpg"], computing=CPU)
    with pytest.raises(DfxError, match="unknown split 'tests'"):
        robustness(run, [str(store)], split="tests", computing=CPU)
    assert sorted((run / "predictions").rglob("*")) == before
