from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine.errors import DfxError, StateError, StoreError
from tests.trainers.report.synthetic_runs import CLASSES, METHODS, predictions, write_run
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.evaluation.evaluate import assess, evaluate
from trainers.evaluation.source import source_thresholds
from trainers.fit import fit
from trainers.metrics import score
from trainers.predict import read_predictions
from trainers.run import open_run
from trainers.taxonomy import Taxonomy

TAXONOMY = Taxonomy(task="attribution", classes=CLASSES)
HALF = {"frame": 0.5, "clip": 0.5}


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`home`, with every split; `away`, of other people and an unseen method, with a test split alone."""
    root = tmp_path_factory.mktemp("shards")
    write_store(root / "home", clips={"train": 6, "val": 4, "test": 4})
    write_store(root / "away", clips={"test": 4}, methods=("real", "FaceSwap"), seed=1)
    return root


@pytest.fixture(scope="module")
def run(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One epoch of a small backbone on `home`."""
    path = tmp_path_factory.mktemp("runs") / "small"
    settings = {"model": "mobilenetv3_small_050", "weights": "none", "size": 32, "batch": 9, "epochs": 1}
    fit(TrainConfig(data=(str(shards / "home"),), device="cpu", backend="cpu", threads=1, **settings), path)
    return path


def on_cpu(run: Path, refs: list[str], **more: object) -> list[dict]:
    return evaluate(run, refs, device="cpu", backend="cpu", batch=8, threads=1, **more)


def test_a_run_is_scored_on_every_store_in_order_with_stable_keys(run: Path, shards: Path) -> None:
    home, away = on_cpu(run, [str(shards / "home"), str(shards / "away")])
    assert (home["store"], away["store"]) == ("home", "away")
    assert list(home) == list(away) == [
        "run", "store", "ref", "split", "selection", "fingerprint", "task", "classes", "weights", "frame", "clip",
        "intervals", "groups", "confusion", "unseen", "unreadable", "clips", "recall", "seen_in_training",
        "groups_shared_with_training", "counts_as", "unseen_people", "source", "checked", "figure",
    ]  # fmt: skip
    assert (home["clip"]["num"], home["frame"]["num"]) == (12, 24)
    assert json.loads(json.dumps(home)) == json.loads((run / "evaluations" / record(run, "home")).read_text())


def record(run: Path, store: str) -> str:
    return next((run / "predictions").glob(f"{store}-test-*.parquet")).stem + ".json"


def test_an_unseen_method_is_named_and_kept_out_of_attribution(run: Path, shards: Path) -> None:
    (away,) = on_cpu(run, [str(shards / "away")])
    assert away["unseen"] == [{"method": "FaceSwap", "clips": 4, "frames": 8}]
    assert away["clip"]["attribution_balanced_accuracy"] is None
    assert away["clip"]["detection_auc"] is not None
    assert away["confusion"]["rows"] == ["real", "FaceSwap"]


def test_what_was_trained_on_is_told_apart_from_what_was_not(run: Path, shards: Path) -> None:
    home, away = on_cpu(run, [str(shards / "home"), str(shards / "away")])
    assert (home["seen_in_training"], away["seen_in_training"]) == (True, False)
    assert (home["groups_shared_with_training"], away["groups_shared_with_training"]) == (0, 0)
    (trained,) = on_cpu(run, [str(shards / "home")], split="train")
    assert trained["groups_shared_with_training"] == trained["groups"] == 6


def test_shared_people_are_unknown_where_the_source_has_gone(run: Path, shards: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    config["sources"][0]["path"] = str(tmp_path / "gone")
    (copy / "config.json").write_text(json.dumps(config))
    (away,) = on_cpu(copy, [str(shards / "away")])
    assert away["groups_shared_with_training"] is None


def made_by_others(file: Path) -> None:
    """Let predictions say that other weights made them."""
    table, facts = read_predictions(file)
    facts["weights"] = "of an earlier training"
    pq.write_table(table.replace_schema_metadata({"dfx": json.dumps(facts)}), file)


def test_predictions_are_made_once_and_again_for_other_weights(run: Path, shards: Path) -> None:
    asked: list[str] = []
    on_cpu(run, [str(shards / "home")])
    on_cpu(run, [str(shards / "home")], on_progress=lambda ref, done, total: asked.append(ref))
    assert asked == []
    made_by_others(next((run / "predictions").glob("home-test-*.parquet")))
    on_cpu(run, [str(shards / "home")], on_progress=lambda ref, done, total: asked.append(ref))
    assert set(asked) == {str(shards / "home")}


def test_a_missing_split_is_an_error_that_names_those_there_are(run: Path, shards: Path) -> None:
    before = sorted((run / "predictions").iterdir())
    with pytest.raises(StoreError, match=r"away has no val split, it has test; name one of them: .*away@split=test$"):
        on_cpu(run, [str(shards / "home"), str(shards / "away")], split="val")
    assert sorted((run / "predictions").iterdir()) == before


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, shards: Path) -> None:
    with pytest.raises(StateError, match="nothing-here"):
        on_cpu(tmp_path / "nothing-here", [str(shards / "home")])


def test_the_threshold_is_the_sources_and_not_the_targets(tmp_path: Path) -> None:
    run = open_run(write_run(tmp_path / "run"))
    thresholds = source_thresholds(run)
    for target in run.path.glob("predictions/*-test.parquet"):
        target.unlink()
    assert source_thresholds(run) == thresholds
    assert thresholds["clip"] is not None
    val = run.path / "predictions" / "ff++-val.parquet"
    shutil.copy(val, val.with_name("ff++-val-asked-for-again.parquet"))
    assert source_thresholds(run) == thresholds
    val.unlink()
    assert source_thresholds(run) == {"frame": None, "clip": None}


def test_assessing_counts_what_could_not_be_read() -> None:
    frames = predictions(CLASSES, groups=12, frames=3)
    valid = np.ones(len(frames), bool)
    valid[[0, 1, 2, 4]] = False
    frames = frames.set_column(frames.column_names.index("valid"), "valid", pa.array(valid))
    result = assess(frames, TAXONOMY, thresholds=HALF, resamples=20)
    assert result["unreadable"] == {"frames": 4, "clips": 1}
    assert result["frame"]["num"] == len(frames) - 4
    assert result["clip"]["num"] == 12 * len(CLASSES) - 1


def test_every_defined_metric_has_an_interval_around_it() -> None:
    result = assess(predictions(("real", *METHODS, "new"), groups=12), TAXONOMY, thresholds=HALF, resamples=50)
    for level in ("frame", "clip"):
        defined = {name: value for name, value in result["intervals"][level].items() if result[level][name] is not None}
        undefined = {"detection_tpr_at_fpr_1e-2", "detection_tpr_at_fpr_1e-3"}
        undefined |= {"detection_ece_scaled", "attribution_ece_scaled"}
        assert set(defined) == set(result["intervals"][level]) - undefined
        for metric, (low, high) in defined.items():
            assert low <= result[level][metric] <= high
    assert result["groups"] == 12


def test_few_groups_are_counted_and_given_no_interval() -> None:
    result = assess(predictions(CLASSES, groups=4), TAXONOMY, thresholds=HALF)
    assert result["groups"] == 4
    assert set(result["intervals"]["clip"].values()) == {None}


def test_clips_are_scored_on_their_mean_and_not_on_their_frames() -> None:
    frames = predictions(CLASSES, skill=1.0, groups=12, frames=5)
    result = assess(frames, TAXONOMY, thresholds=HALF, resamples=10)
    assert result["frame"] == score(frames, TAXONOMY, threshold=0.5)
    assert result["clip"]["num"] * 5 == result["frame"]["num"]


def test_predictions_with_unreadable_samples_are_made_again_once_the_store_is_mended(run: Path, tmp_path: Path) -> None:
    broken = "mended/real/test000/000000"
    write_store(tmp_path / "mended", clips={"test": 2}, broken=(broken,))
    (first,) = on_cpu(run, [str(tmp_path / "mended")])
    shutil.rmtree(tmp_path / "mended")
    mended = write_store(tmp_path / "mended", clips={"test": 2})
    same_samples(mended, first["fingerprint"])
    (again,) = on_cpu(run, [str(mended)])
    assert [result["unreadable"]["frames"] for result in (first, again)] == [1, 0]


def same_samples(store: Path, fingerprint: str) -> None:
    """Let a mended store have the fingerprint that it had before its samples rotted."""
    meta = json.loads((store / "dataset.json").read_text())
    (store / "dataset.json").write_text(json.dumps({**meta, "fingerprint": fingerprint}))


@pytest.mark.parametrize("text", ["junk", "{}", "[]"])
def test_a_damaged_record_is_written_again(run: Path, shards: Path, text: str) -> None:
    (whole,) = on_cpu(run, [str(shards / "home")])
    path = run / "evaluations" / record(run, "home")
    path.write_text(text)
    assert on_cpu(run, [str(shards / "home")]) == [whole] == [json.loads(path.read_text())]


def test_a_source_below_a_folder_with_an_at_sign_is_found(run: Path, shards: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    moved = shutil.copytree(shards / "home", tmp_path / "me@lab" / "home")
    config = json.loads((copy / "config.json").read_text())
    config["sources"][0] |= {"path": str(moved), "selection": "@method=Deepfakes,real"}
    (copy / "config.json").write_text(json.dumps(config))
    (trained,) = on_cpu(copy, [str(shards / "home")], split="train")
    assert trained["groups_shared_with_training"] == 6


def test_a_run_without_weights_and_store_is_scored_from_its_predictions(run: Path, tmp_path: Path) -> None:
    store = write_store(tmp_path / "passing", clips={"test": 4})
    (before,) = on_cpu(run, [str(store)])
    copy = shutil.copytree(run, tmp_path / "small")
    (copy / "model.safetensors").unlink()
    shutil.rmtree(store)
    (after,) = on_cpu(copy, [str(store)])
    assert before["checked"] == {"store": True, "weights": True}
    assert after["checked"] == {"store": False, "weights": False}
    assert {**after, "checked": None} == {**before, "checked": None}
    results = on_cpu(copy, [])
    assert after in results
    assert len(results) == len(list((copy / "predictions").glob("*.parquet")))


def test_every_stored_table_is_scored_where_no_store_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    results = evaluate(run, resamples=5)
    assert [(r["store"], r["split"]) for r in results] == [
        ("celeb-df", "test"), ("ff++", "test"), ("ff++", "val"), ("lab", "test"),
    ]  # fmt: skip
    assert {r["groups_shared_with_training"] for r in results} == {None}
    assert {r["checked"]["weights"] for r in results} == {False}  # none of these files says what made it


def test_predictions_that_are_nowhere_are_asked_for_before_anything_is_predicted(
    run: Path, shards: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match=r"no store at gone; .*; .*small holds no predictions of it"):
        on_cpu(run, ["gone"])
    copy = shutil.copytree(run, tmp_path / "small")
    shutil.rmtree(copy / "predictions")
    with pytest.raises(StateError, match=r"small holds no predictions; name a store to predict with --on"):
        on_cpu(copy, [])
    (copy / "model.safetensors").unlink()
    with pytest.raises(StateError, match=r"no predictions of .*home, and without model.safetensors none can be made"):
        on_cpu(copy, [str(shards / "home")])


def test_predictions_of_other_weights_are_not_scored_as_the_runs(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    evaluate(run, ["lab"], resamples=5)
    made_by_others(run / "predictions" / "lab-test.parquet")
    with pytest.raises(StateError, match=r"lab-test.parquet was made by other weights .*`dfx eval .*run --on shards/l"):
        evaluate(run, ["lab"], resamples=5)


def test_clips_by_their_highest_frame_use_a_threshold_of_their_kind(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    mean, highest = (evaluate(run, ["lab"], clips=how, resamples=5)[0] for how in ("mean", "max"))
    assert (mean["clips"], highest["clips"]) == ("mean", "max")
    assert mean["frame"] == highest["frame"]
    assert highest["clip"]["detection_threshold"] == source_thresholds(open_run(run), "max")["clip"]
    with pytest.raises(DfxError, match="'median'"):
        evaluate(run, ["lab"], clips="median")


def test_figures_are_drawn_beside_the_result(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (plain,), (drawn,) = (evaluate(run, ["lab"], figures=figures, resamples=5) for figures in (False, True))
    assert plain["figure"] is None
    assert drawn["figure"] == "evaluations/lab-test-reliability.png"
    assert (run / drawn["figure"]).read_bytes().startswith(b"\x89PNG")
