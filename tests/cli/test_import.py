from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from dataengine.errors import StateError
from tests.trainers.models import keras_mesonets
from tests.trainers.tiny_store import write_store
from trainers.checkpoint import read_weights
from trainers.run import open_run

CPU = ("--device", "cpu", "--backend", "cpu", "--threads", "1")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keras") / "Meso4_DF.h5"
    keras_mesonets.mesonet4().save(file)
    return file


@pytest.fixture(scope="module")
def run(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "mesonet-df"
    found = CliRunner().invoke(app, ["import", "mesonet", str(file), "--out", str(run)])
    assert found.exit_code == 0, found.output
    assert "mesonet4, 27,977 parameters, from Meso4_DF.h5" in found.output
    return run


def test_an_imported_run_says_where_it_is_from_and_claims_no_training(run: Path) -> None:
    opened = open_run(run)
    assert opened.config["imported"]["file"] == "Meso4_DF.h5"
    assert opened.config["train"]["loss"] == "unknown"
    assert (opened.config["sources"], opened.metrics(), opened.result["best_epoch"]) == ([], [], None)
    assert (opened.input.size, opened.input.mean, opened.input.std) == (256, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    weights, _ = read_weights(run / "model.safetensors")
    assert opened.model().state_dict().keys() == weights.keys()


def test_an_imported_run_is_evaluated_and_reported(run: Path, tmp_path: Path) -> None:
    store = write_store(tmp_path / "home", clips={"test": 12}, frames=1)
    result = tmp_path / "result.json"
    found = CliRunner().invoke(app, ["eval", str(run), "--on", str(store), *CPU, "--json", str(result)])
    assert found.exit_code == 0, found.output
    assert "an imported run: what it was trained on is unknown" in found.output
    assert "a source's store is not where it was" not in " ".join(found.output.split())
    assert "no threshold" in found.output
    (told,) = json.loads(result.read_text())
    assert (told["seen_in_training"], told["groups_shared_with_training"]) == (None, None)
    assert told["clip"]["detection_auc"] is not None
    page = tmp_path / "report.html"
    found = CliRunner().invoke(app, ["report", str(run), "--out", str(page)])
    assert found.exit_code == 0, found.output
    assert "unknown data (Meso4_DF.h5)" in page.read_text()


def test_a_run_is_never_imported_over(run: Path, file: Path) -> None:
    found = CliRunner().invoke(app, ["import", "mesonet", str(file), "--out", str(run)])
    assert isinstance(found.exception, StateError)
    assert "holds a run already" in str(found.exception)
