"""Stores whose people are those of the training store, as datasets that are made from another's videos have them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import StateError
from dataengine.selection import Rows, select
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.evaluation.assess import assess
from trainers.evaluation.evaluate import evaluate
from trainers.evaluation.people import strangers, trained_people
from trainers.evaluation.source import source_of
from trainers.fit import fit
from trainers.predict import read_predictions
from trainers.report.material import read_run
from trainers.run import open_run

NUM_TEST = 16


def at_home(split: str, number: int, method: str) -> tuple[str, str]:
    """Fakes of the person with another one's face."""
    return f"home/{split}{number}", "" if method == "real" else f"actor/{split}{number}"


def shared(split: str, number: int, method: str) -> tuple[str, str]:
    """Footage of home's people: 0 to 5 are of its training, 6 to 9 of its validation. The faces put into 10 and 11 are
    of its training too; of 12 nobody knows."""
    target = f"home/train{number}" if number < 6 else f"home/val{number}"
    source = {10: "actor/train0", 11: "home/train1", 12: ""}.get(number, f"actor/new{number}")
    return target, "" if method == "real" else source


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shards")
    write_store(root / "home", clips={"train": 6, "val": 10, "test": 4}, frames=1, people=at_home)
    write_store(root / "shared", clips={"test": NUM_TEST}, methods=("real", "Deepfakes"), seed=1, people=shared)
    write_store(root / "seen", clips={"test": 6}, methods=("real", "Deepfakes"), seed=2, frames=1, people=shared)
    for label, name in enumerate(("fakes-left", "reals-left")):
        gone = lambda split, number, method: shared(split, 2 if (method != "real") == label else 14, method)  # noqa: E731, B023
        write_store(root / name, clips={"test": 3}, seed=3, frames=1, people=gone)
    return root


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(trained, tmp_path / "small")


@pytest.fixture(scope="module")
def trained(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "small"
    settings = {"model": "test_resnet", "weights": "none", "size": 32, "batch": 9, "epochs": 1}
    fit(TrainConfig(data=(str(shards / "home"),), device="cpu", backend="cpu", threads=1, **settings), path)
    return path


def on_cpu(run: Path, *refs: Path, **more: object) -> list[dict]:
    return evaluate(run, [str(ref) for ref in refs], device="cpu", backend="cpu", batch=8, threads=1, **more)


def change(run: Path, **facts: object) -> None:
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, **facts}))


def test_only_clips_of_people_who_were_not_trained_on_are_scored(run: Path, shards: Path) -> None:
    (plain,) = on_cpu(run, shards / "shared")
    (unseen,) = on_cpu(run, shards / "shared", unseen_people=True)
    assert plain["unseen_people"] is None
    assert unseen["unseen_people"] == {
        "clips": {"real": {"kept": 10, "left_out": 6}, "Deepfakes": {"kept": 8, "left_out": 8}},
        "source_unknown": 1,
    }
    assert (plain["groups_shared_with_training"], unseen["groups_shared_with_training"]) == (6, 0)
    (file,) = (run / "predictions").glob("shared-*.parquet")
    table = read_predictions(file)[0]
    numbers = [int(clip[-3:]) for clip in table["clip"].to_pylist()]
    real = pc.equal(table["label"], 0).to_pylist()
    expected = table.filter([n >= 6 and (r or n not in (10, 11)) for n, r in zip(numbers, real, strict=True)])
    source = source_of(open_run(run), "mean")
    by_hand = assess(expected, open_run(run).taxonomy, thresholds=source.thresholds, temperatures=source.temperatures)
    assert {name: unseen[name] for name in by_hand} == by_hand
    assert unseen["groups"] == 10
    assert unseen["intervals"]["clip"]["detection_auc"] is not None


def test_the_plain_result_the_predictions_and_the_report_stay_as_they_are(run: Path, shards: Path) -> None:
    on_cpu(run, shards / "shared")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    reported = read_run(run)
    (unseen,) = on_cpu(run, shards / "shared", unseen_people=True)
    new = [path for path in run.rglob("*") if path.is_file() and path not in before]
    assert [path.name.endswith("+unseen-people.json") for path in new] == [True]
    assert json.loads(new[0].read_text()) == json.loads(json.dumps(unseen))
    assert {path: path.read_bytes() for path in before} == before
    assert read_run(run).shared == reported.shared != {}


@pytest.mark.parametrize(
    ("store", "label", "num"), [("seen", "real", 6), ("fakes-left", "real", 3), ("reals-left", "fake", 6)]
)
def test_without_a_clip_of_either_label_nothing_is_predicted(
    run: Path, shards: Path, store: str, label: str, num: int
) -> None:
    with pytest.raises(StateError, match=f"{store}@split=test: each of its {num} {label} clips shows a person whom"):
        on_cpu(run, shards / "shared", shards / store, unseen_people=True)
    assert not list((run / "predictions").glob("shared-*"))


def test_a_store_of_fakes_alone_is_scored_without_its_training_people(run: Path, shards: Path) -> None:
    (found,) = on_cpu(run, Path(f"{shards / 'shared'}@method=Deepfakes"), unseen_people=True)
    assert found["unseen_people"]["clips"] == {"Deepfakes": {"kept": 8, "left_out": 8}}
    assert found["clip"]["detection_auc"] is None
    assert found["recall"]["clip"]["Deepfakes"]["num"] == 8


def test_who_was_trained_on_must_be_known(run: Path, shards: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    gone = [{**config["sources"][0], "path": str(shards / "gone")}]
    another = [{**config["sources"][0], "fingerprint": "0" * 64}]
    for sources, why in ((gone, "gone"), (another, "holds other samples now"), ([], "was imported")):
        change(run, sources=sources)
        with pytest.raises(StateError, match=f"trained on is not known.*{why}|{why}.*trained on is not known") as error:
            on_cpu(run, shards / "shared", unseen_people=True)
        assert "\n" not in str(error.value)
        assert on_cpu(run, shards / "shared")[0]["groups_shared_with_training"] is None


def test_who_is_in_a_clip_must_be_known(run: Path, shards: Path) -> None:
    on_cpu(run, shards / "shared")
    with pytest.raises(StateError, match="stands in the store alone; name it with --on STORE"):
        on_cpu(run, unseen_people=True)


@pytest.mark.parametrize("start", ["{}", "backbone:{}"])
def test_people_of_a_run_that_another_started_from_were_trained_on_too(
    trained: Path, run: Path, shards: Path, start: str
) -> None:
    write_store(run.parent / "own", clips={"train": 2, "val": 2}, frames=1)
    settings = {"model": "test_resnet", "size": 32, "batch": 3, "epochs": 1, "weights": start.format(trained)}
    settings |= {"device": "cpu", "backend": "cpu", "threads": 1}
    fit(TrainConfig(data=(str(run.parent / "own"),), **settings), run.parent / "second")
    second = open_run(run.parent / "second")
    assert trained_people(second) == trained_people(open_run(trained)) | {f"own/train00{n}" for n in range(2)}
    change(second.path, train={**second.config["train"], "weights": str(run.parent / "gone")})
    with pytest.raises(StateError, match=r"started from have seen is not known: no run at .*gone"):
        trained_people(open_run(second.path))


@pytest.fixture(scope="module")
def rows(shards: Path) -> Rows:
    return select([str(shards / "shared")])


WHO = [*(f"home/train{n}" for n in range(6)), *(f"home/val{n}" for n in range(6, 16)), "actor/train0", "actor/new15"]


@given(trained=st.sets(st.sampled_from(WHO), max_size=9))
def test_a_clip_is_left_out_exactly_where_it_shows_somebody(rows: Rows, trained: set[str]) -> None:
    every = {
        (number, method): shared("test", number, method) for number in range(16) for method in ("real", "Deepfakes")
    }
    expected = {f"shared/{m}/test{n:03d}" for (n, m), people in every.items() if trained.isdisjoint(people)}
    found = strangers(rows, trained)
    assert set(found.clips.to_pylist()) == expected
    assert len(found.clips) == len(expected) == sum(of["kept"] for of in found.counts.values())
    assert sum(of["left_out"] for of in found.counts.values()) == 32 - len(expected)
