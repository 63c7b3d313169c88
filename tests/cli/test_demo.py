"""The whole way, at its smallest: from generated mp4 files to the report."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cli.demo import MINIATURES, Scale, run_demo
from dataengine.store import open_store

TINY = Scale(clips=8, frames=4, stored_frames=3, models="test_resnet", epochs=1, size=32, bench_rounds=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo")
    run_demo(out, TINY)
    return out


def test_faces_are_found_in_every_miniature_dataset(made: Path) -> None:
    for mini in MINIATURES:
        clips = open_store(made / "shards" / mini.store).clips().to_pylist()
        assert {clip["status"] for clip in clips} == {"ok"}
        assert sum(clip["faces_missing"] for clip in clips) <= 0.05 * sum(clip["frames_found"] for clip in clips)


def test_every_source_and_loss_was_measured_on_every_dataset(made: Path) -> None:
    trials = pq.read_table(made / "sweep" / "trials.parquet")
    assert set(zip(trials["source"].to_pylist(), trials["loss"].to_pylist(), strict=True)) == {
        (source, loss) for source in ("ff++", "elsewhere") for loss in ("ce", "ce+supcon")
    }
    assert set(trials["status"].to_pylist()) == {"done"}
    for mini in MINIATURES:
        assert trials[f"target/{mini.store}/detection_auc"].null_count == 0


def test_the_report_names_every_dataset_and_says_that_the_open_case_is_unseen(made: Path) -> None:
    page = (made / "report.html").read_text()
    assert all(mini.store in page for mini in MINIATURES)
    assert "unseen" in page


def test_run_again_it_repeats_nothing(made: Path) -> None:
    trials = sorted((made / "sweep" / "runs").glob("*/result.json"))
    before = [path.stat().st_mtime_ns for path in trials]
    run_demo(made, TINY)
    assert [path.stat().st_mtime_ns for path in trials] == before
