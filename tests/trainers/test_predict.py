from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dataengine.errors import DfxError, StateError
from dataengine.loader import Loader
from dataengine.selection import select
from dataengine.store import open_store, parse_ref
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.fit import fit
from trainers.models.catalogue import Classifier, InputSpec, build
from trainers.predict import pick_device, predict, predict_rows, prediction_path, read_predictions, unreadable
from trainers.run import open_run
from trainers.taxonomy import Taxonomy

TAXONOMY = Taxonomy(task="attribution", classes=("real", "Deepfakes"))
SPEC = InputSpec(size=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
BROKEN = "tiny/real/test001/000000"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips = {"train": 3, "val": 2, "test": 5}
    return write_store(tmp_path_factory.mktemp("predict") / "tiny", clips=clips, broken=[BROKEN])


@pytest.fixture(scope="module")
def model() -> Classifier:
    torch.manual_seed(0)
    return build("test_resnet", TAXONOMY, size=32)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_each_sample_is_predicted_once_in_the_rows_order(store: Path, model: Classifier, batch: int) -> None:
    rows = select([str(store)], split="test")
    table = predict_rows(model, TAXONOMY, rows, spec=SPEC, batch=batch, threads=1)
    assert table["key"].to_pylist() == rows.strings("key")
    assert table["method"].to_pylist() == rows.strings("method")


def test_the_batch_does_not_change_a_prediction(store: Path, model: Classifier) -> None:
    rows = select([str(store)], split="test")
    tables = [predict_rows(model, TAXONOMY, rows, spec=SPEC, batch=batch, threads=1) for batch in (3, 16)]
    first, second = (table.filter(table["valid"])["p_real"].to_numpy() for table in tables)
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_a_sample_that_cannot_be_read_has_no_probability_and_is_named(store: Path, model: Classifier) -> None:
    rows = select([str(store)], split="test")
    table = predict_rows(model, TAXONOMY, rows, spec=SPEC, threads=1)
    bad = [row for row in table.to_pylist() if not row["valid"]]
    assert [(row["key"], row["p_real"], row["p_Deepfakes"]) for row in bad] == [(BROKEN, None, None)]
    assert [entry["key"] for entry in unreadable(table)] == [BROKEN]


def test_progress_ends_at_the_number_of_samples(store: Path, model: Classifier) -> None:
    rows = select([str(store)], split="test")
    seen: list[tuple[int, int]] = []
    predict_rows(
        model,
        TAXONOMY,
        rows,
        spec=SPEC,
        batch=8,
        threads=1,
        on_batch=lambda *done: seen.append(done),
    )
    assert seen == [(8, 30), (16, 30), (24, 30), (30, 30)]


def test_a_finished_run_predicts_and_keeps_the_table(store: Path, tmp_path: Path) -> None:
    config = TrainConfig(data=(str(store),), model="test_resnet", weights="none", size=32, epochs=1, batch=6, threads=1)
    fit(config, tmp_path / "run")
    run = open_run(tmp_path / "run")
    ref = f"{store}@method=real,Face2Face"
    table = predict(run, ref, threads=1)
    kept, facts = read_predictions(prediction_path(run.path, open_store(store), parse_ref(ref), "test"))
    assert kept.equals(table)
    assert table.num_rows == 20
    assert (facts["run"], facts["store"], facts["split"]) == ("run", "tiny", "test")
    assert facts["selection"] == "@method=Face2Face,real"
    assert facts["classes"] == ["real", "Deepfakes", "Face2Face"]
    assert facts["fingerprint"] == open_store(store).fingerprint


def test_a_table_has_a_file_of_its_own_for_each_store_and_selection(store: Path, tmp_path: Path) -> None:
    twin = write_store(tmp_path / "tiny", clips={"test": 1}, seed=7)
    wanted = [(store, "", "test"), (store, "", "val"), (store, "@method=real", "test"), (twin, "", "test")]
    paths = {
        prediction_path(tmp_path, open_store(root), parse_ref(f"{root}{sel}"), split) for root, sel, split in wanted
    }
    assert len(paths) == 4
    assert {path.name.rpartition("-")[0] for path in paths} == {"tiny-test", "tiny-val"}
    named = prediction_path(tmp_path, open_store(store), parse_ref(f"{store}@split=val"), "test")
    assert named == prediction_path(tmp_path, open_store(store), parse_ref(str(store)), "val")


def test_a_file_that_holds_no_predictions_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(StateError, match=r"x.parquet holds no predictions"):
        read_predictions(tmp_path / "x.parquet")


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "mps"])
def test_a_device_that_is_not_there_is_one_line(name: str) -> None:
    with pytest.raises(DfxError, match="use "):
        pick_device(name)


def test_metadata_are_json(store: Path, model: Classifier) -> None:
    rows = select([str(store)], split="val")
    table = predict_rows(model, TAXONOMY, rows, spec=SPEC, threads=1)
    assert json.loads(table.schema.metadata[b"dfx"]) == {"unreadable": []}


def test_energy_and_the_distance_to_prototypes_stand_beside_the_probabilities(store: Path, model: Classifier) -> None:
    rows = select([str(store)], split="test")
    prototypes = torch.nn.functional.normalize(torch.randn(len(TAXONOMY.classes), model.num_features), dim=1)
    table = predict_rows(model, TAXONOMY, rows, spec=SPEC, prototypes=prototypes, threads=1)
    loader = Loader(rows, batch=len(rows), mode="eval", size=32, mean=SPEC.mean, std=SPEC.std, threads=1)
    with loader, torch.inference_mode():
        logits, embeddings = model(next(iter(loader)).images)
    near = torch.nn.functional.cosine_similarity(embeddings[:, None], prototypes[None], dim=2).amax(dim=1)
    read = table["valid"].to_numpy()
    assert np.allclose(table["energy"].to_numpy()[read], -torch.logsumexp(logits, dim=1).numpy()[read], atol=1e-4)
    assert np.allclose(table["distance"].to_numpy()[read], (1 - near).numpy()[read], atol=1e-5)
    assert table["energy"].null_count == table["distance"].null_count == (~read).sum() == 1


def test_predictions_of_degraded_samples_are_others(store: Path, model: Classifier) -> None:
    rows = select([str(store)], split="val")
    plain, twice, noisy = (
        predict_rows(model, TAXONOMY, rows, augment=augment, spec=SPEC, threads=1)
        for augment in ("none", "none", "robustness:noise:5")
    )
    assert plain.equals(twice)
    assert np.abs(plain["p_real"].to_numpy() - noisy["p_real"].to_numpy()).max() > 1e-3


def test_a_folder_of_its_own_keeps_degraded_predictions_from_those_of_the_store(store: Path, tmp_path: Path) -> None:
    opened, ref = open_store(store), parse_ref(str(store))
    names = ("none", "robustness:jpeg:1", "robustness:jpeg:2")
    paths = [prediction_path(tmp_path, opened, ref, "test", name) for name in names]
    assert paths[0] == prediction_path(tmp_path, opened, ref, "test")
    assert len({path.name for path in paths}) == 3
    assert [path.parent.name for path in paths] == ["predictions", "augmented", "augmented"]
