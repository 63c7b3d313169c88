from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine.errors import StateError
from tests.trainers.report.synthetic_runs import CLASSES, predictions, write_run, write_trials
from trainers.metrics import score
from trainers.report.material import Row, Target, read_run, rows_of
from trainers.report.tables import cell, matrix, read_trials, runs_of_trials, settings, targets_of

NAMING, AUC = "attribution_balanced_accuracy", "detection_auc"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Row, ...]:
    """Three seeds of a model on ff++, and another model on lab."""
    root = tmp_path_factory.mktemp("runs")
    folders = [write_run(root / f"ff-{seed}", seed=seed) for seed in (2, 0, 1)]
    other = write_run(root / "lab-0", source="lab", model="resnet18", skill={"lab": 3.0, "ff++": 1.0, "celeb-df": 1.0})
    return rows_of([read_run(folder) for folder in [*folders, other]])


def target(rows: tuple[Row, ...], store: str) -> Target:
    return next(t for t in targets_of(rows) if t.store == store)


def test_runs_that_differ_in_the_seed_alone_are_one_row(rows: tuple[Row, ...]) -> None:
    assert [[run.train["seed"] for run in row.runs] for row in rows] == [[0, 1, 2], [0]]


def test_where_and_how_fast_a_run_ran_makes_no_other_row(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, train={"device": name, "threads": 3}) for name in ("cpu", "cuda")]
    assert len(rows_of([read_run(run) for run in runs])) == 1


def test_rows_of_one_model_are_told_apart_by_what_differs(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / str(lr), train={"lr": lr}) for lr in (1e-3, 3e-4)]
    assert [row.model for row in rows_of([read_run(run) for run in runs])] == [
        "tf_efficientnetv2_b0, ce, lr 0.0003",
        "tf_efficientnetv2_b0, ce, lr 0.001",
    ]


def test_the_validation_split_of_the_source_is_no_target(rows: tuple[Row, ...]) -> None:
    assert [t.label for t in targets_of(rows)] == ["ff++", "lab", "celeb-df"]


def test_a_cell_is_the_mean_over_seeds_with_an_interval_of_that_mean(rows: tuple[Row, ...]) -> None:
    at = target(rows, "lab")
    found = cell(rows[0], at, NAMING)
    single = [score(run.clips[at], run.taxonomy, threshold=run.threshold)[NAMING] for run in rows[0].runs]
    assert found.seeds == pytest.approx(single)
    assert found.value == pytest.approx(np.mean(single))
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]


def test_own_datasets_are_told_by_their_fingerprint(rows: tuple[Row, ...]) -> None:
    grid = matrix(rows, targets_of(rows), AUC)
    own = {(i, t.store) for (i, t), found in grid.items() if found.own}
    assert own == {(0, "ff++"), (1, "lab")}


def test_chance_is_one_over_the_classes_present(rows: tuple[Row, ...]) -> None:
    assert cell(rows[0], target(rows, "lab"), NAMING).chance == pytest.approx(1 / 6)
    assert cell(rows[0], target(rows, "lab"), AUC).chance == 0.5


def test_a_target_of_unseen_methods_has_no_attribution_but_a_detectors_score(rows: tuple[Row, ...]) -> None:
    at = target(rows, "celeb-df")
    naming, detecting = cell(rows[0], at, NAMING), cell(rows[0], at, AUC)
    assert (naming.value, naming.interval, naming.all_unseen) == (None, None, True)
    assert naming.unseen == ("celeb-synthesis",)
    assert detecting.value is not None
    assert detecting.interval is not None


def test_verdicts_follow_the_interval(tmp_path: Path) -> None:
    skill = {"ff++": 4.0, "lab": 0.0}
    rows = rows_of([read_run(write_run(tmp_path / "run", skill=skill, groups=30))])
    assert cell(rows[0], target(rows, "ff++"), NAMING).verdict == "above chance"
    assert cell(rows[0], target(rows, "lab"), NAMING).verdict == "not distinguishable from chance"


def test_settings_that_all_runs_share_are_told_once(rows: tuple[Row, ...]) -> None:
    found = settings([run for row in rows for run in row.runs])
    assert set(found.varied) == {"data", "model", "seed"}
    assert ("batch", "64") in found.common
    assert [name for name, _ in found.each] == ["ff-0", "ff-1", "ff-2", "lab-0"]


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two settings of one model with two seeds each, one of another, and a trial that was stopped."""
    runs = [
        write_run(tmp_path / f"lr{lr}-s{seed}", seed=seed, train={"lr": lr}) for lr in (1e-3, 1e-2) for seed in (0, 1)
    ]
    return write_trials(tmp_path / "trials.parquet", [*runs, write_run(tmp_path / "other", model="resnet18")])


def with_columns(path: Path, **columns: list[float]) -> None:
    table = pq.read_table(path)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table, path)


def test_trials_are_ordered_by_validation_whatever_the_targets_say(sweep: Path) -> None:
    with_columns(sweep, score=[0.5, 0.9, 0.7, 0.6, 0.8, 0.1])
    with_columns(sweep, **{"target/lab/attribution_balanced_accuracy": [0.9, 0.1, 0.2, 0.8, 0.3, 1.0]})
    found = read_trials(sweep, best=4)
    assert [row["score"] for row in found.rows] == [0.9, 0.8, 0.7, 0.6]
    assert (found.num, found.status) == (6, {"done": 5, "stopped": 1})
    assert found.varied == ("lr",)


def test_a_target_without_any_number_has_no_column(sweep: Path) -> None:
    assert read_trials(sweep).targets == ("ff++/attribution_balanced_accuracy", "lab/attribution_balanced_accuracy")


def test_a_sweep_is_reported_by_its_best_settings_with_all_their_seeds(sweep: Path) -> None:
    with_columns(sweep, score=[0.5, 0.6, 0.7, 0.4, 0.2, 0.99])
    assert {run.name for run in runs_of_trials(sweep)} == {"lr0.01-s0", "lr0.01-s1", "other"}


def test_a_sweep_without_its_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"trials\.parquet"):
        read_trials(tmp_path / "trials.parquet")


def test_a_table_of_something_else_is_no_table_of_trials(tmp_path: Path) -> None:
    pq.write_table(pa.table({"key": ["a"]}), tmp_path / "trials.parquet")
    with pytest.raises(StateError, match=r"trials\.parquet is no table of trials \(no column trial_id"):
        read_trials(tmp_path / "trials.parquet")


def test_a_selection_with_validation_rows_is_no_target(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    table = predictions(CLASSES, split="test+val")
    pq.write_table(table, run / "predictions" / "ff++-test+val.parquet")
    assert {at.split for at in read_run(run).clips} == {"test"}


@pytest.mark.parametrize("text", ["junk", "{}", "[]"])
def test_a_damaged_evaluation_names_the_command_that_mends_it(tmp_path: Path, text: str) -> None:
    run = write_run(tmp_path / "run")
    (run / "evaluations").mkdir()
    (run / "evaluations" / "lab-test.json").write_text(text)
    with pytest.raises(StateError, match=r"lab-test.json is damaged; run `dfx eval` again on shards/lab@split=test"):
        read_run(run)
