from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from dataengine.errors import DfxError
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.fit import fit
from trainers.progress import EpochRecord
from trainers.run import Run, open_run
from trainers.transfer.settings import default_folder, transfer_config

MINE = {"epochs": 2, "batch": 6, "device": "cpu", "backend": "cpu", "threads": 1}
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("transfer")
    write_store(root / "own", clips={"train": 4, "val": 2})
    write_store(root / "new", clips={"train": 4, "val": 2}, methods=("real", "FaceSwap"), seed=1)
    return root


@pytest.fixture(scope="module")
def run(stores: Path) -> Run:
    """A detection run of mesonet4; do not write to it."""
    model = {"model": "mesonet4", "weights": "none", "size": 32, "loss": "mse", "task": "detection"}
    settings = TrainConfig(data=(str(stores / "own"),), **{**MINE, "epochs": 1}, **model)
    return open_run(fit(settings, stores / "runs/mesonet").run)


def moved(run: Run, stores: Path, out: Path, strategy: str, settings: str = "corrected") -> set[str]:
    """The tensors that a training changes."""
    config = transfer_config(run, strategy, [str(stores / "new")], settings=settings, samples=12, given=MINE)
    fit(config, out)
    before, after = load_file(run.path / "model.safetensors"), load_file(out / "model.safetensors")
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_transfer_moves_the_last_layers_alone(run: Run, stores: Path, tmp_path: Path) -> None:
    changed = moved(run, stores, tmp_path / "run", "transfer")
    assert changed == {"network.dense.weight", "network.dense.bias", "head.1.weight", "head.1.bias"}


def test_the_studys_transfer_moves_the_statistics_of_frozen_batch_norms_too(
    run: Run, stores: Path, tmp_path: Path
) -> None:
    changed = moved(run, stores, tmp_path / "run", "transfer", "study")
    statistics = {name for name in changed if name.endswith(STATISTICS)}
    assert len(statistics) == 4 * len(STATISTICS)
    assert {name for name in changed - statistics if not name.startswith(("network.dense.", "head."))} == set()


def test_merge_moves_everything(run: Run, stores: Path, tmp_path: Path) -> None:
    assert moved(run, stores, tmp_path / "run", "merge") == set(load_file(run.path / "model.safetensors"))


class KilledError(Exception):
    pass


def test_a_stopped_transfer_goes_on_bit_for_bit(run: Run, stores: Path, tmp_path: Path) -> None:
    config = transfer_config(run, "transfer", [str(stores / "new")], samples=12, given={**MINE, "augment": "crop"})
    fit(config, tmp_path / "whole")

    def stop(record: EpochRecord) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        fit(config, tmp_path / "stopped", on_epoch=stop)
    torch.manual_seed(99)
    fit(config, tmp_path / "stopped", resume=True)
    files = [load_file(tmp_path / name / "model.safetensors") for name in ("whole", "stopped")]
    assert all(torch.equal(files[0][name], files[1][name]) for name in files[0])
    losses = [[line["train_loss"] for line in open_run(tmp_path / name).metrics()] for name in ("whole", "stopped")]
    assert losses[0] == losses[1]
    with pytest.raises(DfxError, match="was trained with samples = 12, not 10"):
        fit(replace(config, samples=10), tmp_path / "whole", resume=True)


def test_the_new_run_says_what_it_learnt_from(run: Run, stores: Path, tmp_path: Path) -> None:
    config = transfer_config(run, "transfer", [str(stores / "new")], samples=12, given={**MINE, "epochs": 1})
    found = open_run(fit(config, tmp_path / "run").run)
    assert [(s["name"], s["num_train"], s["num_val"]) for s in found.config["sources"]] == [
        ("own", 12, 12), ("new", 12, 8),
    ]  # fmt: skip
    assert found.train == config
    assert len(found.result["validation"]) == 2
    assert [line["step"] for line in found.metrics()] == [4]
    again = transfer_config(found, "merge", ["other"], samples=12, given=MINE)
    assert again.data == (str(stores / "own"), str(stores / "new"))


def made(run: Run, model: str) -> Run:
    return replace(run, config={**run.config, "model": {**run.config["model"], "name": model}})


@pytest.mark.parametrize(
    ("model", "settings", "loss", "lr"),
    [
        ("mesonet4", "corrected", "mse", 1e-3),
        ("mesoinception4", "study", "mse", 1e-3),
        ("shallownet", "study", "mse", 1e-3),
        ("shallownet", "corrected", "ce", 5e-5),
        ("xception", "study", "ce", 5e-5),
        ("efficientnet-b0", "corrected", "ce", 5e-5),
    ],
)
def test_the_studys_models_have_their_own_loss_and_rate(
    run: Run, model: str, settings: str, loss: str, lr: float
) -> None:
    config = transfer_config(made(run, model), "merge", ["new"], settings=settings)
    assert (config.loss, config.lr, config.optimizer, config.schedule) == (loss, lr, "adam", "constant")
    assert (config.epochs, config.batch, config.samples, config.size, config.frozen) == (50, 64, 2000, 32, "none")


def test_another_model_keeps_what_its_run_was_trained_with(run: Run) -> None:
    other = made(run, "test_resnet")
    train = TrainConfig(data=("own",), task="detection", model="test_resnet", lr=2e-4, loss="ce+supcon", device="cpu")
    other = replace(other, config={**other.config, "train": train.as_dict()})
    config = transfer_config(other, "transfer", ["new"], given={"batch": 32})
    assert (config.loss, config.lr, config.epochs, config.batch) == ("ce+supcon", 2e-4, 50, 32)
    assert (config.frozen, config.device) == ("transfer", "auto")
    with pytest.raises(DfxError, match=r"the study has no test_resnet.*use --recipe corrected"):
        transfer_config(other, "transfer", ["new"], settings="study")


@pytest.mark.parametrize(
    ("strategy", "settings", "frozen"),
    [("transfer", "study", "transfer-moving"), ("transfer", "corrected", "transfer"), ("merge", "study", "none")],
)
def test_the_settings_say_what_is_frozen(run: Run, strategy: str, settings: str, frozen: str) -> None:
    assert transfer_config(run, strategy, ["new"], settings=settings).frozen == frozen


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"strategy": "merging"}, "unknown strategy 'merging'; did you mean merge"),
        ({"settings": "studied"}, "unknown settings 'studied'; did you mean study"),
        ({"new": ["new@split=test"]}, "selects a split; leave it out"),
        ({"samples": 60}, "samples is 60, less than a batch of 64"),
        ({"original": ["new"]}, "'new' is on both sides of the mix"),
        ({"given": {"lr": -1.0}}, "lr is -1"),
    ],
)
def test_what_cannot_be_is_refused(run: Run, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DfxError, match=message):
        transfer_config(run, **{"strategy": "merge", "new": ["new"], **changed})


def test_a_run_that_knows_no_sources_needs_original_data(run: Run) -> None:
    bare = replace(run, config={**run.config, "sources": []})
    with pytest.raises(DfxError, match="does not say what it was trained on; name its original data with --original"):
        transfer_config(bare, "merge", ["new"])
    assert transfer_config(bare, "merge", ["new"], original=["own"]).data == ("own",)


def test_the_folder_says_the_strategy(run: Run) -> None:
    assert default_folder(run, "transfer", "corrected", 0) == Path("runs/mesonet-transfer")
    assert default_folder(run, "merge", "study", 3) == Path("runs/mesonet-merge-study-s3")
