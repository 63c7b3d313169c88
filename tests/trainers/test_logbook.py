from __future__ import annotations

import http.server
import json
import math
import random
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dataengine.errors import DfxError, StateError
from trainers import logbook as module
from trainers.config import TrainConfig
from trainers.logbook import Logbook
from trainers.progress import EpochRecord, StepRecord

CONFIG = TrainConfig(data=("shards/ff++",), loss="ce+supcon", epochs=3)


def a_step(step: int, **changed: Any) -> StepRecord:
    told = {"epoch": 0, "num_steps": 90, "loss": 1 / step, "terms": {"ce": 0.5, "supcon": 2.0}, "lr": 3e-4}
    return StepRecord(**{**told, "step": step, "images_per_s": 800.0, "input_wait": 0.25, **changed})


def an_epoch(step: int, **changed: Any) -> EpochRecord:
    trained = {"train_loss": 0.75, "train_terms": {"ce": 0.5}, "lr": 3e-4, "images_per_s": 800.0, "input_wait": 0.25}
    found = {"val_loss": 0.5, "val_balanced_accuracy": 0.875, "val_auc": None, "best": True, "seconds": 2.5}
    return EpochRecord(**{"epoch": 0, "step": step, **trained, **found, **changed})


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEP_EVERY_S", 0.0)


@pytest.fixture
def one_step_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEP_EVERY_S", math.inf)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "first"
    folder.mkdir(parents=True)
    return folder


def curves(run: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows of a run: step and value of each point of each curve."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard")).Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def killed_after(logbook: Logbook) -> None:
    """Leave a logbook as a killed process does: what it wrote is there, no run has ended."""
    logbook._open["tensorboard"].close(failed=True)  # two files of one second may be read in either order
    second = int(time.time())
    while int(time.time()) == second:
        time.sleep(0.02)


# TensorBoard


@pytest.mark.usefixtures("every_step")
def test_tensorboard_shows_every_number_of_steps_and_epochs(run: Path) -> None:
    with Logbook(run, CONFIG) as logbook:
        logbook.step(a_step(1, input_wait=0.5))
        logbook.step(a_step(2, terms={"ce": 0.25, "supcon": 2.0}))
        logbook.epoch(an_epoch(2))
    shown = curves(run)
    assert shown["step/loss"] == [(1, 1.0), (2, 0.5)]
    assert shown["step/ce"] == [(1, 0.5), (2, 0.25)]
    assert shown["step/input_wait"] == [(1, 0.5), (2, 0.25)]
    assert shown["epoch/val_balanced_accuracy"] == [(2, 0.875)]
    assert shown["epoch/best"] == [(2, 1.0)]
    steps = {f"step/{name}" for name in ("loss", "ce", "supcon", "lr", "images_per_s", "input_wait")}
    numbers = an_epoch(2).as_dict().keys() - {"epoch", "step", "val_auc"}  # which it has none of
    assert shown.keys() == steps | {f"epoch/{name}" for name in numbers}


def test_tensorboard_shows_the_settings_as_text(run: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with Logbook(run, CONFIG):
        pass
    (event,) = EventAccumulator(str(run / "tensorboard")).Reload().Tensors("settings/text_summary")
    assert "| loss | ce+supcon |" in event.tensor_proto.string_val[0].decode()


@pytest.mark.usefixtures("one_step_a_session")
def test_of_quick_steps_the_first_and_each_epochs_last_are_logged(run: Path) -> None:
    with Logbook(run, CONFIG) as logbook:
        for step in range(1, 41):
            logbook.step(a_step(step))
            if step in (20, 40):
                logbook.epoch(an_epoch(step))
    assert [step for step, _ in curves(run)["step/loss"]] == [1, 20, 40]


@pytest.mark.usefixtures("one_step_a_session")
def test_the_last_step_before_an_exception_is_logged(run: Path) -> None:
    with suppress(ZeroDivisionError), Logbook(run, CONFIG) as logbook:
        for step in range(1, 8):
            logbook.step(a_step(step))
        raise ZeroDivisionError
    assert [step for step, _ in curves(run)["step/loss"]] == [1, 7]


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize("saved", [0, 2])
def test_steps_that_a_killed_process_logged_after_its_last_state_show_once(run: Path, saved: int) -> None:
    killed = Logbook(run, CONFIG).__enter__()
    for step in range(1, 5):
        killed.step(a_step(step))
    killed_after(killed)
    with Logbook(run, CONFIG, step=saved) as resumed:
        for step in range(saved + 1, 7):
            resumed.step(a_step(step, loss=10.0))
    before = [(step, 1 / step) for step in range(1, saved + 1)]
    assert curves(run)["step/loss"] == [*before, *((step, 10.0) for step in range(saved + 1, 7))]


# Trackers


@pytest.fixture
def mlflow_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # its tables take seconds to make
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    return MlflowClient()


def the_mlflow_run(client: Any) -> Any:
    (found,) = client.search_runs([client.get_experiment_by_name("dfx").experiment_id])
    return found


@pytest.mark.usefixtures("every_step")
def test_mlflow_gets_settings_and_numbers_in_the_experiment_dfx(run: Path, mlflow_client: Any) -> None:
    with Logbook(run, CONFIG, ["mlflow"]) as logbook:
        logbook.step(a_step(1))
        logbook.step(a_step(2))
        logbook.epoch(an_epoch(2))
    found = the_mlflow_run(mlflow_client)
    assert found.info.run_name == "first"
    assert found.info.status == "FINISHED"
    assert found.data.params == {name: str(value) for name, value in CONFIG.as_dict().items()}
    losses = mlflow_client.get_metric_history(found.info.run_id, "step/loss")
    assert [(metric.step, metric.value) for metric in losses] == [(1, 1.0), (2, 0.5)]
    assert found.data.metrics["epoch/val_balanced_accuracy"] == 0.875


def test_mlflow_marks_a_training_that_ended_in_an_exception_as_failed(run: Path, mlflow_client: Any) -> None:
    with pytest.raises(ZeroDivisionError), Logbook(run, CONFIG, ["mlflow"]):
        raise ZeroDivisionError
    assert the_mlflow_run(mlflow_client).info.status == "FAILED"


@pytest.mark.usefixtures("every_step")
def test_a_resumed_training_goes_on_in_its_mlflow_run_with_each_step_once(
    run: Path, mlflow_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.trackers.mlflow.SEND_EVERY_S", 0.0)
    killed = Logbook(run, CONFIG, ["mlflow"]).__enter__()
    for step in range(1, 5):
        killed.step(a_step(step))
    assert the_mlflow_run(mlflow_client).info.status == "RUNNING"
    with Logbook(run, CONFIG, ["mlflow"], step=2) as resumed:
        for step in range(3, 6):
            resumed.step(a_step(step))
        resumed.epoch(an_epoch(5))
    found = the_mlflow_run(mlflow_client)
    assert found.info.status == "FINISHED"
    losses = mlflow_client.get_metric_history(found.info.run_id, "step/loss")
    assert [metric.step for metric in losses] == [1, 2, 3, 4, 5]
    assert "epoch/val_loss" in found.data.metrics


def test_a_training_from_the_start_is_a_new_run(run: Path, mlflow_client: Any) -> None:
    ids = []
    for _ in range(2):
        with Logbook(run, CONFIG, ["mlflow"]):
            ids.append(json.loads((run / "trackers.json").read_text())["mlflow"])
    assert ids[0] != ids[1]


def test_a_run_that_the_tracker_no_longer_has_is_refused(run: Path, mlflow_client: Any) -> None:
    (run / "trackers.json").write_text('{"mlflow": "0123456789abcdef0123456789abcdef"}')
    with pytest.raises(DfxError, match=r"^mlflow cannot start \(.*not found.*\); check MLFLOW_TRACKING_URI, or"):
        Logbook(run, CONFIG, ["mlflow"], step=2).__enter__()


def test_a_damaged_file_of_ids_is_refused(run: Path) -> None:
    (run / "trackers.json").write_text("{")
    with pytest.raises(StateError, match=r"trackers.json is damaged; delete it"):
        Logbook(run, CONFIG, step=2).__enter__()


A_RUN = {"info": {"run_id": "r1", "run_uuid": "r1", "experiment_id": "1", "status": "RUNNING"}, "data": {}}
ANSWERS = {"create": {"run": A_RUN}, "get-by-name": {"experiment": {"experiment_id": "1", "name": "dfx"}}}


class Answers(http.server.BaseHTTPRequestHandler):
    """What an MLflow server answers to the requests of one training."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        text = json.dumps(ANSWERS.get(self.path.split("?")[0].rsplit("/")[-1], {})).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[http.server.HTTPServer]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0.01")
        monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        monkeypatch.setattr("trainers.trackers.mlflow.SEND_EVERY_S", 0.0)
        yield server
        server.shutdown()


@pytest.mark.usefixtures("every_step")
def test_a_server_that_goes_away_is_reported_once_and_training_goes_on(
    run: Path, server: http.server.HTTPServer
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with Logbook(run, CONFIG, ["mlflow"]) as logbook:
            logbook.step(a_step(1))
            assert not caught
            server.shutdown()
            server.server_close()
            random.seed(5)
            before = random.getstate()
            for step in range(2, 5):
                logbook.step(a_step(step))
            logbook.epoch(an_epoch(4))
            assert random.getstate() == before  # the client's retries wait for random times
    (said,) = [str(warning.message) for warning in caught if "mlflow" in str(warning.message)]
    assert said.startswith("mlflow has failed and gets no more records of this training (")
    assert "\n" not in said
    assert [step for step, _ in curves(run)["step/loss"]] == [1, 2, 3, 4]


def test_a_server_that_is_not_there_is_refused_and_leaves_nothing_open(
    run: Path, server: http.server.HTTPServer
) -> None:
    server.shutdown()
    server.server_close()
    logbook = Logbook(run, CONFIG, ["mlflow"])
    threads = threading.active_count()
    with pytest.raises(DfxError, match=r"^mlflow cannot start \(.*\); check MLFLOW_TRACKING_URI") as refused:
        logbook.__enter__()
    assert "\n" not in str(refused.value)
    assert threading.active_count() == threads  # TensorBoard's writer is one


@pytest.fixture
def wandb_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    monkeypatch.delenv("WANDB_DIR", raising=False)


def wandb_records(run: Path) -> list[list[Any]]:
    """The records of each offline file of a run, oldest first: LevelDB's log format, here of one block."""
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record

    wandb.teardown()  # its process has written all once it has ended
    files = []
    for file in sorted((run / "wandb").glob("offline-run-*/*.wandb"), key=lambda file: file.stat().st_mtime_ns):
        written, at, records = file.read_bytes(), 7, []
        assert len(written) < 32768
        while at < len(written):
            (length,) = struct.unpack_from("<H", written, at + 4)
            records.append(Record.FromString(written[at + 7 : at + 7 + length]))
            at += 7 + length
        files.append(records)
    return files


def history(records: list[Any], name: str) -> list[tuple[int, float]]:
    """Step and value of each point of a curve."""
    points = []
    for record in records:
        found = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        if name in found:
            points.append((found["_step"], found[name]))
    return points


@pytest.mark.usefixtures("every_step", "wandb_offline")
def test_wandb_gets_settings_and_numbers_and_a_resumed_training_its_run(run: Path) -> None:
    with suppress(ZeroDivisionError), Logbook(run, CONFIG, ["wandb"]) as logbook:
        logbook.step(a_step(1))
        logbook.step(a_step(2))
        logbook.epoch(an_epoch(2))
        raise ZeroDivisionError
    with Logbook(run, CONFIG, ["wandb"], step=2) as logbook:
        logbook.step(a_step(3))
    first, second = wandb_records(run)
    assert history(first, "step/loss") == [(1, 1.0), (2, 0.5)]
    assert history(first, "epoch/val_balanced_accuracy") == [(2, 0.875)]
    assert history(second, "step/loss") == [(3, 1 / 3)]
    (begun,), (resumed,) = ([r.run for r in records if r.HasField("run")] for records in (first, second))
    assert (begun.project, begun.display_name) == ("dfx", "first")
    assert {item.key: json.loads(item.value_json) for item in begun.config.update}.items() >= CONFIG.as_dict().items()
    assert begun.run_id == resumed.run_id == json.loads((run / "trackers.json").read_text())["wandb"]
    assert [[r.exit.exit_code for r in records if r.HasField("exit")] for records in (first, second)] == [[1], [0]]


def test_a_tracker_that_is_not_installed_is_refused_with_what_to_run(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(
        DfxError, match=r"^the tracker mlflow is not installed; run `pip install -e '\.\[mlflow\]'` in dfx's folder$"
    ):
        Logbook(run, CONFIG, ["mlflow"])
    assert not list(run.iterdir())


def test_a_folder_that_wandb_left_is_not_taken_for_the_package(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wandb").mkdir()
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(DfxError, match="the tracker wandb is not installed"):
        Logbook(run, CONFIG, ["wandb"])
    sys.modules.pop("wandb", None)


def test_an_unknown_tracker_is_refused_with_the_known_ones(run: Path) -> None:
    with pytest.raises(DfxError, match=r"unknown tracker 'mlflo'; did you mean mlflow\?"):
        Logbook(run, CONFIG, ["mlflo"])


def test_importing_the_logbook_imports_no_tracker_and_no_torch() -> None:
    heavy = ("torch", "tensorboard", "mlflow", "wandb")
    script = f"import sys, trainers.logbook; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
