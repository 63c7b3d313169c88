from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import DfxError, StoreError
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.evaluation.predicted import Computing
from trainers.fewshot.figure import draw_fewshot
from trainers.fewshot.measure import draw, fewshot
from trainers.fit import fit
from trainers.run import Run, open_run

FAKES = tuple(f"fake{number:02d}" for number in range(19))
CPU = Computing(device="cpu", backend="cpu", threads=1)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fewshot")
    write_store(root / "own", clips={"train": 4, "val": 2})
    methods = ("real", "FaceSwap", "Deepfakes")
    write_store(
        root / "new", clips={"train": 3, "test": 10}, methods=methods, seed=1, broken=["new/real/test000/000000"]
    )
    return root


@pytest.fixture(scope="module")
def run(stores: Path) -> Run:
    """An attribution run that knows no FaceSwap; do not write to it."""
    settings = {"model": "test_resnet", "weights": "none", "size": 32, "batch": 6, "epochs": 1, "device": "cpu"}
    return open_run(fit(TrainConfig(data=(str(stores / "own"),), threads=1, **settings), stores / "runs/own").run)


@pytest.fixture(scope="module")
def found(run: Run, stores: Path) -> dict[str, Any]:
    return ask(run, stores / "new")


def ask(run: Run, store: object, **settings: Any) -> dict[str, Any]:
    given = {"shots": (1, 5), "seeds": 2, "computing": CPU, "resamples": 50, **settings}
    return fewshot(run, str(store), **given)


clips = st.lists(st.integers(1, 12).map(lambda n: tuple(f"clip{i}" for i in range(n))), min_size=2, max_size=4).map(
    tuple
)


@given(clips=clips, most=st.integers(1, 15), seed=st.integers(0, 1000))
def test_a_draw_has_so_many_clips_of_each_class_and_larger_ones_hold_it(
    clips: tuple[tuple[str, ...], ...], most: int, seed: int
) -> None:
    drawn = draw(clips, most, seed)
    for mine, of_class in zip(drawn, clips, strict=True):
        assert len(set(mine)) == len(mine) == min(most, len(of_class))
        assert set(mine) <= set(of_class)
    larger = draw(clips, most + 1, seed)
    assert [mine[:most] for mine in larger] == list(drawn)


def test_draws_differ_by_seed_and_class() -> None:
    names = tuple(f"{i}" for i in range(40))
    first, second = draw((names, names), 5, 0)
    assert first != second
    assert draw((names, names), 5, 1)[0] != first


def test_a_method_that_the_run_never_saw_is_learnt_from_a_few_clips(found: dict[str, Any]) -> None:
    assert found["classes"] == ["real", "Deepfakes", "FaceSwap"]
    assert [(r["probe"], r["shots"]) for r in found["results"]] == [
        (probe, k) for probe in ("linear", "prototype", "neighbours") for k in (1, 5)
    ]
    for result in found["results"]:
        balanced = result["metrics"]["attribution_balanced_accuracy"]
        assert len(balanced["values"]) == 2
        assert balanced["mean"] > 0.8  # the methods differ in their colour
        assert balanced["interval"][0] <= balanced["mean"]


def test_what_is_short_or_unreadable_is_told(found: dict[str, Any]) -> None:
    assert found["few"] == {"real": 3, "Deepfakes": 3, "FaceSwap": 3}
    assert [bad["key"] for bad in found["unreadable"]] == ["new/real/test000/000000"]
    assert (found["clips"], found["groups"], found["unseen"]) == (30, 10, [])
    assert found["settings"] == {"c": 1.0, "neighbours": 5, "temperature": 0.1, "threshold": 0.5}


def test_the_answer_is_a_function_of_its_arguments(run: Run, stores: Path, found: dict[str, Any]) -> None:
    torch.manual_seed(5)
    assert ask(run, stores / "new") == found
    assert json.loads(json.dumps(found))["results"][0]["shots"] == 1


def test_in_detection_the_classes_are_real_and_fake(run: Run, stores: Path) -> None:
    found = ask(run, stores / "new", task="detection", shots=(3,), seeds=1)
    assert found["classes"] == ["real", "fake"]
    assert found["few"] == {}
    names = ["detection_balanced_accuracy", "detection_macro_f1", "detection_auc"]
    assert list(found["results"][0]["metrics"]) == names
    assert found["results"][0]["metrics"]["detection_auc"]["std"] is None


def test_methods_that_train_has_no_clip_of_are_told_and_left_out(run: Run, tmp_path: Path) -> None:
    store = write_store(tmp_path / "one", clips={"train": 2, "test": 2})
    index = pq.read_table(store / "index.parquet")
    absent = pc.and_(pc.equal(index["split"], "train"), pc.equal(index["method"], "Face2Face"))
    pq.write_table(index.filter(pc.invert(absent)), store / "index.parquet")
    meta = json.loads((store / "dataset.json").read_text())
    data = (store / "index.parquet").read_bytes()
    meta["tables"]["index.parquet"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (store / "dataset.json").write_text(json.dumps(meta))
    found = ask(run, store, shots=(1,))
    assert (found["classes"], found["unseen"], found["clips"]) == (["real", "Deepfakes"], ["Face2Face"], 6)


def test_a_selection_of_methods_is_a_task_of_its_own(run: Run, stores: Path) -> None:
    found = ask(run, f"{stores}/new@method=real,FaceSwap", shots=(1,))
    assert (found["classes"], found["selection"]) == (["real", "FaceSwap"], "@method=FaceSwap,real")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shots": (0, 5)}, "shots are 0, 5; give numbers of at least 1"),
        ({"shots": ()}, "shots are none"),
        ({"seeds": 0}, "seeds is 0"),
        ({"split": "train"}, "score another split, such as test"),
        ({"store": "new@split=test"}, "selects a split; leave it out"),
        ({"store": "new@method=FaceSwap"}, "holds no real sample"),
        ({"task": "detect"}, "unknown task 'detect'; did you mean detection"),
    ],
)
def test_what_cannot_be_is_refused(run: Run, stores: Path, settings: dict[str, Any], message: str) -> None:
    store = stores / settings.pop("store", "new")
    with pytest.raises(DfxError, match=message):
        ask(run, store, **settings)


def test_a_store_without_the_split_is_refused(run: Run, stores: Path) -> None:
    with pytest.raises(StoreError, match="split"):
        ask(run, stores / "new", split="val")


def test_a_class_of_which_nothing_can_be_read_is_named(run: Run, tmp_path: Path) -> None:
    broken = [f"bad/real/train000/{frame:06d}" for frame in range(2)]
    write_store(tmp_path / "bad", clips={"train": 1, "test": 1}, methods=("real", *FAKES), broken=broken)
    with pytest.raises(DfxError, match="no frame of the clips drawn of real can be read"):
        ask(run, tmp_path / "bad", shots=(1,), seeds=1)


def test_a_picture_has_a_panel_a_metric(found: dict[str, Any], tmp_path: Path) -> None:
    draw_fewshot(found, tmp_path / "a.svg", names={"attribution_macro_f1": "macro-F1"})
    text = (tmp_path / "a.svg").read_text()
    assert all(shown in text for shown in ("macro-F1", "nearest prototype", "clips a class", "mean of 2 draws"))
