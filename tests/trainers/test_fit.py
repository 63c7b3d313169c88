from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file

from dataengine.errors import DfxError, StateError
from tests.trainers.tiny_store import METHODS, write_store
from trainers.checkpoint import read_state
from trainers.config import TrainConfig
from trainers.fit import FitResult, fit
from trainers.metrics import clip_table, score
from trainers.predict import read_predictions
from trainers.progress import EpochRecord, StepRecord
from trainers.run import open_run
from trainers.saving import StoppedEarlyError


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("fit") / "tiny", clips={"train": 6, "val": 3, "test": 2})


def settings(store: Path) -> TrainConfig:
    return TrainConfig(
        data=(str(store),), model="test_resnet", weights="none", size=32, epochs=3, batch=6, lr=3e-3, threads=1
    )


@pytest.fixture(scope="module")
def undisturbed(store: Path, tmp_path_factory: pytest.TempPathFactory) -> FitResult:
    """A finished run; do not write to it."""
    return fit(replace(settings(store), loss="ce+supcon"), tmp_path_factory.mktemp("runs") / "whole")


class KilledError(Exception):
    pass


def stop_after(epoch: int, config: TrainConfig, run: Path) -> None:
    def on_epoch(record: EpochRecord) -> None:
        if record.epoch == epoch:
            raise KilledError

    with pytest.raises(KilledError):
        fit(config, run, on_epoch=on_epoch)


def assert_same_run(run: Path, other: Path) -> None:
    weights, others = load_file(run / "model.safetensors"), load_file(other / "model.safetensors")
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    timed = {"images_per_s", "input_wait", "seconds"}
    lines = [
        [{k: v for k, v in line.items() if k not in timed} for line in open_run(path).metrics()]
        for path in (run, other)
    ]
    assert lines[0] == lines[1]


def test_a_run_folder_is_complete(undisturbed: FitResult, store: Path) -> None:
    run = open_run(undisturbed.run)
    assert run.taxonomy.classes == METHODS
    assert run.train.data == (str(store),)
    source = run.config["sources"][0]
    assert (source["name"], source["num_train"], source["num_val"]) == ("tiny", 36, 18)
    assert len(source["fingerprint"]) == 64
    keys = "epoch step train_loss train_ce train_supcon lr images_per_s input_wait val_loss val_balanced_accuracy "
    assert [list(line) for line in run.metrics()] == [[*keys.split(), "val_auc", "best", "seconds"]] * 3
    assert [line["step"] for line in run.metrics()] == [6, 12, 18]
    assert not list(run.path.glob(".*"))


def test_the_kept_epoch_is_the_best_on_the_sources_validation_split(undisturbed: FitResult) -> None:
    run = open_run(undisturbed.run)
    best = max(undisturbed.epochs, key=lambda e: (e.val_balanced_accuracy, -e.val_loss))
    assert undisturbed.best == best
    table, facts = read_predictions(run.path / run.result["validation"][0])
    assert (facts["split"], table.num_rows) == ("val", 18)
    found = score(clip_table(table), run.taxonomy, threshold=0.5)
    assert found["attribution_balanced_accuracy"] == best.val_balanced_accuracy


def test_training_learns(undisturbed: FitResult) -> None:
    assert undisturbed.best.val_balanced_accuracy == 1.0
    assert undisturbed.epochs[-1].train_loss < undisturbed.epochs[0].train_loss


@pytest.mark.parametrize("epoch", [0, 1])
def test_a_resumed_run_equals_an_undisturbed_one_bit_for_bit(
    undisturbed: FitResult, tmp_path: Path, epoch: int
) -> None:
    config = open_run(undisturbed.run).train
    stop_after(epoch, config, tmp_path / "run")
    torch.manual_seed(epoch + 99)
    resumed = fit(config, tmp_path / "run", resume=True)
    assert len(resumed.epochs) == 3
    assert_same_run(tmp_path / "run", undisturbed.run)


def _train_and_die(config: TrainConfig, run: Path) -> None:
    fit(config, run, on_epoch=lambda _: os.kill(os.getpid(), signal.SIGKILL))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_process_is_taken_up_bit_for_bit(undisturbed: FitResult, tmp_path: Path) -> None:
    config = open_run(undisturbed.run).train
    process = multiprocessing.get_context("spawn").Process(target=_train_and_die, args=(config, tmp_path / "run"))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with pytest.raises(StateError, match="is not finished; continue it with"):
        open_run(tmp_path / "run")
    fit(config, tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "run", undisturbed.run)


def test_files_that_a_kill_left_behind_the_state_are_mended(undisturbed: FitResult, tmp_path: Path) -> None:
    config = open_run(undisturbed.run).train
    stop_after(1, config, tmp_path / "run")
    (tmp_path / "run/metrics.jsonl").unlink()
    (tmp_path / "run/model.safetensors").write_bytes(b"old")
    (tmp_path / "run/.state.pt.123.part").touch()
    fit(config, tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "run", undisturbed.run)
    assert not list((tmp_path / "run").glob(".*"))


def test_the_state_holds_tensors_and_plain_values_only(undisturbed: FitResult) -> None:
    state = read_state(undisturbed.run / "state.pt")
    assert set(state["training"]) >= {"learner", "stream", "generators", "best"}
    assert set(state["training"]["learner"]) >= {"model", "objective", "optimizer", "scaler"}
    assert json.dumps(state["training"]["stream"])


def test_resuming_a_finished_run_only_reads_it(undisturbed: FitResult) -> None:
    before = {file: file.stat().st_mtime_ns for file in undisturbed.run.rglob("*")}
    assert fit(open_run(undisturbed.run).train, undisturbed.run, resume=True) == undisturbed
    assert {file: file.stat().st_mtime_ns for file in undisturbed.run.rglob("*")} == before


def test_a_folder_that_holds_a_run_is_not_trained_into(undisturbed: FitResult, store: Path, tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"holds a finished run; choose another --name, .*--resume"):
        fit(settings(store), undisturbed.run)
    stop_after(0, settings(store), tmp_path / "run")
    with pytest.raises(StateError, match="holds a run that was stopped; go on with --resume"):
        fit(settings(store), tmp_path / "run")


def test_resuming_with_another_setting_names_it(store: Path, tmp_path: Path) -> None:
    stop_after(0, settings(store), tmp_path / "run")
    with pytest.raises(StateError, match=r"was trained with lr = 0.003, not 0.001"):
        fit(replace(settings(store), lr=1e-3), tmp_path / "run", resume=True)


def test_resuming_elsewhere_may_change_the_machine(store: Path, tmp_path: Path) -> None:
    stop_after(1, settings(store), tmp_path / "run")
    assert len(fit(replace(settings(store), backend="cpu", device="cpu"), tmp_path / "run", resume=True).epochs) == 3


def test_a_checkpoint_for_another_taxonomy_names_both(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s", clips={"train": 3, "val": 1})
    stop_after(0, settings(store), tmp_path / "run")
    shutil.rmtree(store)
    write_store(store, clips={"train": 4, "val": 1}, methods=("real", "FaceSwap"))
    with pytest.raises(StateError, match=r"over real, Deepfakes, Face2Face, .* over real, FaceSwap"):
        fit(settings(store), tmp_path / "run", resume=True)


def test_a_checkpoint_of_other_data_names_both_fingerprints(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s", clips={"train": 3, "val": 1})
    stop_after(0, settings(store), tmp_path / "run")
    shutil.rmtree(store)
    write_store(store, clips={"train": 3, "val": 1}, seed=1)
    with pytest.raises(StateError, match=r"is not the store that .* was trained on \(fingerprint"):
        fit(settings(store), tmp_path / "run", resume=True)


def test_a_loss_that_is_not_finite_ends_the_run_naming_step_and_rate(store: Path, tmp_path: Path) -> None:
    config = replace(settings(store), lr=1e30, grad_clip=0.0, warmup=0.0)
    with pytest.raises(
        DfxError, match=r"the loss is (nan|inf) at step [23] of 18 \(learning rate .*e\+\d+\); lower --lr"
    ):
        fit(config, tmp_path / "run")
    assert not (tmp_path / "run/state.pt").exists()
    fit(replace(settings(store), epochs=1), tmp_path / "run")


@pytest.mark.parametrize(
    ("clips", "message"),
    [({"train": 3}, "has no split .val. .but train."), ({"train": 0, "val": 2}, "has no split .train. .but val.")],
)
def test_a_store_without_a_split_is_refused(tmp_path: Path, clips: dict[str, int], message: str) -> None:
    store = write_store(tmp_path / "s", clips=clips)
    with pytest.raises(DfxError, match=message):
        fit(settings(store), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_patience_ends_a_run_that_no_longer_improves(store: Path, tmp_path: Path) -> None:
    result = fit(replace(settings(store), epochs=6, lr=1e-12, patience=1, warmup=0.0, grad_clip=1e-9), tmp_path / "run")
    assert result.epochs[-1].epoch == result.best.epoch + 1 < 5
    assert open_run(tmp_path / "run").result["stopped_early"]


def test_detection_trains_on_two_classes_of_even_batches(store: Path, tmp_path: Path) -> None:
    config = replace(settings(store), task="detection", epochs=1, policy="shuffled", class_weights="balanced")
    run = open_run(fit(config, tmp_path / "run").run)
    assert run.taxonomy.classes == ("real", "fake")
    table, _ = read_predictions(run.path / run.result["validation"][0])
    assert {"p_real", "p_fake"} <= set(table.column_names)


def test_class_weights_reach_the_training_loss(store: Path, tmp_path: Path) -> None:
    losses = []
    for kind in ("none", "balanced"):
        config = replace(settings(store), task="detection", epochs=1, policy="shuffled", class_weights=kind)
        losses.append(fit(config, tmp_path / kind).epochs[0].train_loss)
    assert abs(losses[0] - losses[1]) > 1e-3


def test_mixed_precision_trains_weights_of_full_precision(store: Path, tmp_path: Path) -> None:
    run = fit(replace(settings(store), epochs=1, amp="bf16", loss="ce+supcon"), tmp_path / "run").run
    state = read_state(run / "state.pt")["training"]["learner"]
    floats = {t.dtype for part in ("model", "objective") for t in state[part].values() if t.is_floating_point()}
    assert floats == {torch.float32}


@pytest.mark.parametrize(
    "changed",
    [
        {"loss": "ce+supcon"},
        {"loss": "ce+arcface", "accumulate": 2},
        {"ema": 0.9, "optimizer": "sgd", "schedule": "step", "step_size": 5},
        {"loss": "softmax-ce+patchwise", "learnt_weights": True, "patches": 2, "patch_px": 16, "layer_decay": 0.7},
    ],
    ids=lambda changed: "-".join(map(str, changed.values())),
)
def test_a_training_stopped_at_any_step_goes_on_bit_for_bit(
    store: Path, tmp_path: Path, changed: dict[str, Any]
) -> None:
    config = replace(settings(store), epochs=2, **changed)
    fit(config, tmp_path / "whole")
    for steps in (1, 2, 1):  # after each the state is saved once more, and the training taken up again
        left = iter([False] * (steps - 1))
        with pytest.raises(StoppedEarlyError, match="saved in"):
            fit(config, tmp_path / "parts", resume=True, stop=lambda left=left: next(left, True))
    fit(config, tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_training_of_one_step_an_epoch_is_stopped_too(store: Path, tmp_path: Path) -> None:
    config = replace(settings(store), batch=36, policy="shuffled")
    with pytest.raises(StoppedEarlyError, match="stopped at step 1 of 3"):
        fit(config, tmp_path / "run", stop=lambda: True)
    assert len(fit(config, tmp_path / "run", resume=True).epochs) == 3


def test_a_state_is_saved_within_an_epoch_once_it_is_time(store: Path, tmp_path: Path) -> None:
    def killed(record: StepRecord) -> None:
        if record.step == 4:
            raise KilledError

    with pytest.raises(KilledError):
        fit(settings(store), tmp_path / "run", on_step=killed, save_every_s=0)
    assert read_state(tmp_path / "run" / "state.pt")["training"]["learner"]["step"] >= 3


def test_an_exploding_loss_ends_the_run_naming_both_losses(store: Path, tmp_path: Path) -> None:
    config = replace(settings(store), lr=1e6, optimizer="sgd", grad_clip=0.0, warmup=0.0)
    with pytest.raises(DfxError, match=r"the loss (has grown from|is (nan|inf)).* at step .*; lower --lr"):
        fit(config, tmp_path / "run")


def test_a_frozen_backbone_does_not_move_and_the_classifier_learns(store: Path, tmp_path: Path) -> None:
    first = fit(replace(settings(store), epochs=1), tmp_path / "first").run
    config = replace(settings(store), epochs=2, frozen="backbone", weights=f"backbone:{first}")
    before, after = (load_file(run / "model.safetensors") for run in (first, fit(config, tmp_path / "probe").run))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"head.weight", "head.bias"}


def test_a_loss_on_embeddings_that_reaches_no_layer_that_learns_is_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(DfxError, match="with frozen transfer 'supcon' trains nothing of test_resnet that is kept"):
        fit(replace(settings(store), loss="supcon", batch=12, frozen="transfer"), tmp_path / "run")
    assert not (tmp_path / "run/config.json").exists()


def test_a_loss_on_embeddings_alone_is_judged_by_class_prototypes(store: Path, tmp_path: Path) -> None:
    result = fit(replace(settings(store), loss="supcon", batch=12), tmp_path / "run")
    weights = load_file(result.run / "model.safetensors")
    prototypes = open_run(result.run).prototypes()
    assert prototypes is not None
    assert torch.allclose(weights["head.weight"], prototypes, atol=1e-5)
    assert result.best.val_balanced_accuracy == 1.0


def test_the_running_mean_of_the_weights_is_what_is_kept(store: Path, tmp_path: Path) -> None:
    config = replace(settings(store), epochs=1, ema=0.5, warmup=0.0)
    run = fit(config, tmp_path / "run").run
    state = read_state(run / "state.pt")["training"]["learner"]
    kept = load_file(run / "model.safetensors")
    mean = {name.removeprefix("module."): value for name, value in state["ema"].items()}
    assert all(torch.equal(kept[name], mean[name]) for name in kept)
    assert not all(torch.equal(kept[name], state["model"][name]) for name in kept)


@pytest.mark.parametrize(("accumulate", "batch"), [(2, 12), (7, 36)], ids=["whole", "more than an epoch has"])
def test_accumulated_steps_move_the_weights_as_one_large_step_does(
    store: Path, tmp_path: Path, accumulate: int, batch: int
) -> None:
    common: dict[str, Any] = {"model": "test_vit", "epochs": 1, "policy": "shuffled", "augment": "none"}
    common |= {"optimizer": "sgd", "schedule": "constant", "warmup": 0.0, "lr": 0.1, "grad_clip": 0.0}
    small = fit(replace(settings(store), batch=6, accumulate=accumulate, **common), tmp_path / "small").run
    large = fit(replace(settings(store), batch=batch, **common), tmp_path / "large").run
    one, other = load_file(small / "model.safetensors"), load_file(large / "model.safetensors")
    assert max(float((one[name] - other[name]).abs().max()) for name in one) < 1e-5


def test_comparing_views_that_do_not_differ_is_refused(store: Path, tmp_path: Path) -> None:
    with pytest.raises(DfxError, match="ntxent compares views of one image, and 'none' draws nothing"):
        fit(replace(settings(store), loss="ce+ntxent", augment="none"), tmp_path / "run")


@pytest.mark.parametrize(("model", "size", "patch"), [("dna-det", 32, 8), ("shallownet", 64, 32)])
def test_patches_that_the_model_cannot_see_are_refused(
    store: Path, tmp_path: Path, model: str, size: int, patch: int
) -> None:
    config = replace(settings(store), model=model, size=size, patches=2, patch_px=patch)
    with pytest.raises(DfxError, match=rf"{model} cannot see patches of {patch} px \(.*\); choose another --patch-px"):
        fit(config, tmp_path / "run")


def test_one_image_a_step_is_refused_where_there_is_batch_norm(store: Path, tmp_path: Path) -> None:
    with pytest.raises(DfxError, match="batch norm needs more than one image a step and process; raise --batch"):
        fit(replace(settings(store), batch=1, size=8), tmp_path / "run")


@pytest.mark.gpu
@pytest.mark.parametrize("amp", ["auto", "fp16", "off"])
def test_a_gpu_learns_and_resumes(store: Path, tmp_path: Path, amp: str) -> None:
    config = replace(settings(store), device="cuda", amp=amp, loss="ce+supcon")
    stop_after(0, config, tmp_path / "run")
    assert fit(config, tmp_path / "run", resume=True).best.val_balanced_accuracy == 1.0


def test_several_stores_train_one_model_and_keep_their_predictions_apart(store: Path, tmp_path: Path) -> None:
    other = write_store(tmp_path / "other", clips={"train": 2, "val": 2}, methods=("real", "FaceSwap"), seed=5)
    config = replace(settings(store), data=(str(store), str(other)), epochs=1)
    run = open_run(fit(config, tmp_path / "run").run)
    assert run.taxonomy.classes == ("real", "Deepfakes", "Face2Face", "FaceSwap")
    tables = [read_predictions(run.path / file) for file in run.result["validation"]]
    assert [(facts["store"], table.num_rows) for table, facts in tables] == [("tiny", 18), ("other", 8)]


def test_samples_that_cannot_be_read_are_counted_and_named(tmp_path: Path) -> None:
    broken = ("s/real/train000/000000", "s/Deepfakes/val001/000001")
    store = write_store(tmp_path / "s", clips={"train": 6, "val": 3}, broken=broken)
    result = fit(settings(store), tmp_path / "run")
    assert result.num_unreadable == 2
    assert {bad["key"] for bad in open_run(tmp_path / "run").result["unreadable"]} == set(broken)


def test_progress_tells_every_step(store: Path, tmp_path: Path) -> None:
    steps: list[StepRecord] = []
    result = fit(replace(settings(store), epochs=2), tmp_path / "run", on_step=steps.append)
    assert [record.step for record in steps] == list(range(1, 13))
    assert {record.num_steps for record in steps} == {12}
    assert all(0 <= record.input_wait <= 1 and record.images_per_s > 0 for record in steps)
    assert np.mean([r.loss for r in steps[:6]]) == pytest.approx(result.epochs[0].train_loss)


def test_an_exact_table_of_probabilities_stands_in_the_rows_order(undisturbed: FitResult) -> None:
    run = open_run(undisturbed.run)
    table, _ = read_predictions(run.path / run.result["validation"][0])
    p = np.stack([table[f"p_{name}"].to_numpy() for name in run.taxonomy.classes])
    np.testing.assert_allclose(p.sum(axis=0), 1.0, rtol=1e-6)
    assert table.schema.field("p_real").type == pa.float32()


def test_two_trainings_do_not_write_one_folder(store: Path, tmp_path: Path) -> None:
    config = replace(settings(store), epochs=1)

    def join(_: EpochRecord) -> None:
        with pytest.raises(StateError, match=r"another training is writing .*; wait for it, or choose another --name"):
            fit(config, tmp_path / "run", resume=True)

    fit(config, tmp_path / "run", on_epoch=join)
    assert not (tmp_path / "run/.lock").exists()


def test_a_state_without_a_training_names_the_file(store: Path, tmp_path: Path) -> None:
    stop_after(0, settings(store), tmp_path / "run")
    torch.save({"format": 1}, tmp_path / "run/state.pt")
    with pytest.raises(StateError, match=r"state.pt is no state of a training; delete it to train from the start"):
        fit(settings(store), tmp_path / "run", resume=True)


def test_a_state_without_its_settings_is_not_gone_on_from(store: Path, tmp_path: Path) -> None:
    stop_after(0, settings(store), tmp_path / "run")
    (tmp_path / "run/config.json").unlink()
    with pytest.raises(StateError, match=r"state.pt has no config.json beside it; bring that back, or delete the"):
        fit(settings(store), tmp_path / "run", resume=True)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on the CPU")
def test_a_compiled_network_trains_the_weights_of_the_plain_one(store: Path, tmp_path: Path) -> None:
    plain, compiled = (
        fit(replace(settings(store), epochs=1, compile=flag, ema=0.5, optimizer="sgd"), tmp_path / str(flag)).run
        for flag in (False, True)
    )
    one, other = (load_file(run / "model.safetensors") for run in (plain, compiled))
    assert one.keys() == other.keys()
    assert max(float((one[name].float() - other[name].float()).abs().max()) for name in one) < 1e-4
