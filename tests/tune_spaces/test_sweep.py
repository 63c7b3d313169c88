"""Real sweeps on Ray: small networks, small stores, and one that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from dataengine.errors import DfxError, StateError
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from tune_spaces.hooks import Outcome, Report
from tune_spaces.records import Trial, read_trials
from tune_spaces.resources import Share
from tune_spaces.sweep import SweepConfig, SweepResult, find_stores, sweep
from tune_spaces.work import SourceWork, Work

ROOT = Path(__file__).parents[2]
SAMPLES, EPOCHS = 2, 4
SOURCES, TARGETS = ("ff++", "other"), ("ff++", "open", "other")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stores to train on, and a third with a test split only."""
    folder = tmp_path_factory.mktemp("shards")
    whole = {"train": 4, "val": 3, "test": 3}
    write_store(folder / "ff++", clips=whole, seed=1)
    write_store(folder / "other", clips=whole, seed=2)
    write_store(folder / "open", clips={"test": 3}, seed=3)
    return folder


def config_of(shards: Path) -> SweepConfig:
    found = find_stores(shards)
    train = TrainConfig(data=found.sources, weights="none", size=32, epochs=EPOCHS, batch=6)
    return SweepConfig(train=train, targets=found.targets, models=("test_resnet",), samples=SAMPLES, seeds=2, gpus=0)


@pytest.fixture(scope="module")
def ray_session() -> Iterator[Share]:
    """One Ray for the sweeps of this process."""
    from tune_spaces.tuner import session

    with session(gpus=0, gpus_per_trial=1.0) as share:
        yield share


@dataclass(frozen=True)
class Killed:
    """A sweep that was killed, and taken up again."""

    before: dict[str, Trial]
    written: dict[str, int]
    """When each run's result was written, before the sweep was taken up again."""
    epochs: dict[str, list[str]]
    """The lines of metrics.jsonl of each run, then."""
    result: SweepResult


KILL_ITSELF = """
import os, signal, sys
from pathlib import Path
from tests.tune_spaces.test_sweep import config_of
from tune_spaces.sweep import sweep

def on_trial(work):
    done = any(trial.status == "done" for trial in work.trials)
    begun = any(trial.status == "running" and trial.scores for trial in work.trials)
    if done and begun:
        os.killpg(0, signal.SIGKILL)

sweep(config_of(Path(sys.argv[1])), sys.argv[2], on_trial=on_trial)
"""


@pytest.fixture(scope="module")
def killed(shards: Path, tmp_path_factory: pytest.TempPathFactory, ray_session: Share) -> Killed:
    folder = tmp_path_factory.mktemp("sweeps") / "killed"
    command = [sys.executable, "-c", KILL_ITSELF, str(shards), str(folder)]
    ended = subprocess.run(command, cwd=ROOT, start_new_session=True, timeout=200)
    assert ended.returncode == -signal.SIGKILL
    before = {trial.trial_id: trial for trial in read_trials(folder / "trials")}
    written = {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("runs/*/result.json")}
    epochs = {path.parent.name: path.read_text().splitlines() for path in folder.glob("runs/*/metrics.jsonl")}
    return Killed(before, written, epochs, sweep(config_of(shards), folder, resume=True))


def test_a_killed_sweep_repeats_no_finished_trial(killed: Killed) -> None:
    done = [trial for trial in killed.before.values() if trial.status == "done"]
    assert done
    after = {trial.trial_id: trial for trial in killed.result.trials}
    for trial in done:
        assert after[trial.trial_id] == trial
        result = killed.result.folder / "runs" / trial.trial_id / "result.json"
        assert result.stat().st_mtime_ns == killed.written[trial.trial_id]


def test_a_trial_that_was_cut_off_goes_on_from_its_last_epoch(killed: Killed) -> None:
    cut = [name for name, trial in killed.before.items() if trial.status == "running" and killed.epochs.get(name)]
    assert cut
    for name in cut:
        lines = (killed.result.folder / "runs" / name / "metrics.jsonl").read_text().splitlines()
        assert lines[: len(killed.epochs[name])] == killed.epochs[name]
        trial = next(trial for trial in killed.result.trials if trial.trial_id == name)
        assert len(trial.scores) == len(lines)


def test_a_killed_sweep_ends_with_the_trials_that_it_was_to_have(killed: Killed) -> None:
    assert Counter(trial.source for trial in killed.result.trials if trial.stage == "search") == dict.fromkeys(
        SOURCES, SAMPLES
    )
    whole = Counter((trial.source, trial.seed) for trial in killed.result.trials if trial.status == "done")
    assert all(whole[source, seed] for source in SOURCES for seed in (0, 1))
    assert len({trial.trial_id for trial in killed.result.trials}) == len(killed.result.trials)
    assert all(trial.status in ("done", "stopped") for trial in killed.result.trials)


def test_every_finished_trial_is_measured_on_every_target(killed: Killed) -> None:
    for trial in killed.result.trials:
        if trial.status == "done":
            assert tuple(trial.targets or {}) == TARGETS
            made = sorted((killed.result.folder / "runs" / trial.trial_id / "predictions").glob("*-test-*.parquet"))
            assert [path.name.partition("-test-")[0] for path in made] == list(TARGETS)


def test_the_results_are_a_table_and_a_report(killed: Killed) -> None:
    table = pq.read_table(killed.result.folder / "trials.parquet")
    assert table.num_rows == len(killed.result.trials)
    assert {f"target/{store}/detection_auc" for store in TARGETS} <= set(table.column_names)
    assert killed.result.report is not None
    assert "<html" in killed.result.report.read_text()


def test_each_run_says_what_it_was_trained_with(killed: Killed) -> None:
    for trial in killed.result.trials:
        config = json.loads((killed.result.folder / "runs" / trial.trial_id / "config.json").read_text())
        assert config["train"] | trial.settings == config["train"]
        assert config["train"]["seed"] == trial.seed
        assert [source["name"] for source in config["sources"]] == [trial.source]


def test_a_training_state_is_kept_only_while_it_can_be_gone_on_from(killed: Killed) -> None:
    assert not list(killed.result.folder.glob("runs/*/state.pt"))


def test_a_finished_sweep_taken_up_again_only_writes_its_results(shards: Path, killed: Killed) -> None:
    (killed.result.folder / "report.html").unlink()
    again = sweep(config_of(shards), killed.result.folder, resume=True)
    assert again.trials == killed.result.trials
    assert again.report is not None
    assert again.report.exists()


def test_another_sweep_does_not_go_on_in_the_folder(shards: Path, killed: Killed) -> None:
    config = config_of(shards)
    with pytest.raises(StateError, match=r"--resume, or choose another --name"):
        sweep(config, killed.result.folder)
    with pytest.raises(StateError, match=r"fixed was batch=6, now batch=7"):
        sweep(replace(config, train=replace(config.train, batch=7)), killed.result.folder, resume=True)
    with pytest.raises(StateError, match=r"space was loss=ce, ce\+supcon, now loss=ce;"):
        sweep(replace(config, losses=("ce",)), killed.result.folder, resume=True)


class Listed:
    """Settings from a list."""

    def __init__(self, total: int) -> None:
        self.total = total

    def propose(self, number: int) -> dict[str, str | int]:
        return {"model": "m", "loss": "ce", "number": number}

    def recall(self, trial: Trial) -> None: ...
    def learn(self, trial: Trial) -> None: ...


def run_toys(folder: Path, share: Share, *, total: int, halving: bool) -> dict[str, Trial]:
    """Trials that train nothing: the second of a source fails, the third kills its process, the rest rank by number."""
    from tune_spaces.tuner import run

    def toy(trial: Trial, share: Share, report: Report) -> Outcome:
        if trial.number == 1:
            raise DfxError("the disk is full")
        if trial.number == 2:
            raise RuntimeError("CUDA error: an illegal memory access\nmore of it")
        if trial.number == 3:
            os._exit(1)
        scale = 1.0 if trial.source == "a" else 100.0
        for epoch in range(1, 10):
            report(epoch, scale * (10 - trial.number))
        return Outcome(seconds=0.0, targets={"cwd": {str(Path.cwd()): None}})

    sources = [SourceWork(name, Listed(total), seeds=1, seed=0, known=[]) for name in ("a", "b")]
    run(Work(sources), folder, toy, share=share, epochs=9, halving=halving)
    return {trial.trial_id: trial for trial in read_trials(folder / "trials")}


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory, ray_session: Share) -> dict[str, Trial]:
    return run_toys(tmp_path_factory.mktemp("toys"), ray_session, total=8, halving=True)


def test_a_failed_trial_is_recorded_in_one_line_and_the_others_go_on(toys: dict[str, Trial]) -> None:
    for source in ("a", "b"):
        failed = {t.number: t.error for t in toys.values() if t.source == source and t.status == "failed"}
        assert failed[1] == "the disk is full"
        assert failed[2] == "RuntimeError: CUDA error: an illegal memory access"
        assert "process died" in failed[3]
        assert set(failed) == {1, 2, 3}


def test_early_stopping_compares_trials_of_one_source_only(toys: dict[str, Trial]) -> None:
    """Scores of b are a hundred times those of a: together, nothing of a would be left."""
    for source in ("a", "b"):
        status = {t.number: t.status for t in toys.values() if t.source == source}
        assert status[0] == "done"
        assert [status[number] for number in (5, 6, 7)] == ["stopped"] * 3


def test_a_trial_keeps_the_folder_that_the_sweep_was_started_in(toys: dict[str, Trial]) -> None:
    assert toys["a-000"].targets == {"cwd": {str(Path.cwd()): None}}


def test_a_sweep_whose_trials_all_fail_says_why(shards: Path, tmp_path: Path, ray_session: Share) -> None:
    config = config_of(shards)
    (tmp_path / "weights").touch()
    train = replace(config.train, data=config.train.data[:1], weights=str(tmp_path / "weights"))
    with pytest.raises(DfxError, match=r"all 1 trials failed, the first with: .*weights is no file of weights"):
        sweep(replace(config, train=train, samples=1), tmp_path / "sweep")


def test_a_sweep_refused_before_its_first_trial_leaves_its_folder_free(
    shards: Path, tmp_path: Path, ray_session: Share
) -> None:
    config = replace(config_of(shards), gpus=1000)
    for _ in range(2):
        with pytest.raises(DfxError, match=r"--gpus 1000 asks for more than there is.*--gpus 0.*--address"):
            sweep(config, tmp_path / "sweep")


def test_a_second_sweep_in_a_folder_waits_for_the_first(shards: Path, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(StateError, match="a sweep is running in"):
        sweep(config_of(shards), tmp_path)


def test_unknown_names_are_said_before_anything_starts(shards: Path, tmp_path: Path) -> None:
    config = config_of(shards)
    with pytest.raises(DfxError, match="unknown model 'test_resnt'; did you mean test_resnet"):
        sweep(replace(config, models=("test_resnt",)), tmp_path / "sweep")
    with pytest.raises(DfxError, match="unknown loss 'supcom'; did you mean supcon"):
        sweep(replace(config, losses=("supcom",)), tmp_path / "sweep")
    with pytest.raises(DfxError, match="unknown search 'random'"):
        replace(config, search="random")  # type: ignore[arg-type]
    assert not (tmp_path / "sweep").exists()


def test_what_no_trial_could_train_with_is_said_before_anything_starts(shards: Path, tmp_path: Path) -> None:
    config = config_of(shards)
    with pytest.raises(DfxError, match="no weights at 'typo'"):
        sweep(replace(config, train=replace(config.train, weights="typo")), tmp_path / "sweep")
    with pytest.raises(DfxError, match=r"ff\+\+ has 24 images to train on, less than a batch of 25"):
        sweep(replace(config, train=replace(config.train, batch=25)), tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


def test_a_folder_that_cannot_hold_a_sweep_is_named(shards: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="file cannot hold a sweep"):
        sweep(config_of(shards), tmp_path / "file")
    (tmp_path / "sweep.json").write_text("[]")
    with pytest.raises(StateError, match=r"sweep\.json is damaged"):
        sweep(config_of(shards), tmp_path, resume=True)


def test_a_setting_is_either_searched_or_fixed(shards: Path) -> None:
    config = config_of(shards)
    assert "lr" in config.space
    assert "lr" not in replace(config, fixed=("lr",)).space
    assert list(replace(config, search="grid").space) == ["model", "loss"]
    assert replace(config, fixed=("grad_clip",)).space == config.space
    for name in ("model", "loss"):
        with pytest.raises(DfxError, match=f"'{name}' is what a sweep compares; narrow it with --{name[:3]}"):
            replace(config, fixed=(name,))


def test_a_source_without_validation_split_is_no_source(tmp_path: Path) -> None:
    write_store(tmp_path / "a", clips={"train": 2, "test": 2})
    write_store(tmp_path / "b", clips={"train": 2, "val": 2})
    found = find_stores(tmp_path)
    assert found.sources == (str(tmp_path / "b"),)
    assert found.targets == (str(tmp_path / "a"),)
    assert [(Path(path).name, reason.partition(":")[0]) for path, reason in found.skipped] == [
        ("a", "no source"),
        ("b", "no target"),
    ]


def test_a_source_has_reals_and_fakes_in_train_and_val(tmp_path: Path) -> None:
    whole = {"train": 2, "val": 2, "test": 2}
    write_store(tmp_path / "fakes", clips=whole, methods=("Deepfakes", "Face2Face"))
    write_store(tmp_path / "reals", clips=whole, methods=("real",))
    found = find_stores(tmp_path)
    assert found.sources == ()
    assert found.skipped == (
        (str(tmp_path / "fakes"), "no source: its split train holds no real"),
        (str(tmp_path / "reals"), "no source: its split train holds no fake"),
    )


def test_a_broken_store_is_left_out_with_the_reason(tmp_path: Path) -> None:
    write_store(tmp_path / "a", clips={"train": 2, "val": 2, "test": 2})
    write_store(tmp_path / "b", clips={"test": 2})
    (tmp_path / "b" / "test-000000.tar").unlink()
    found = find_stores(tmp_path)
    assert found.sources == found.targets == (str(tmp_path / "a"),)
    ((path, reason),) = found.skipped
    assert path == str(tmp_path / "b")
    assert reason.startswith("left out: ")
    assert "test-000000.tar is missing" in reason
