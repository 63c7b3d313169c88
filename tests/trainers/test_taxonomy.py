from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dataengine.errors import DfxError
from dataengine.selection import select
from tests.trainers.tiny_store import write_store
from trainers.taxonomy import Taxonomy, check_validation, taxonomy_of


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("taxonomy") / "tiny", clips={"train": 2, "val": 1})


def test_attribution_is_real_then_the_sorted_methods(store: Path) -> None:
    taxonomy = taxonomy_of("attribution", select([str(store)], split="train"))
    assert taxonomy == Taxonomy(task="attribution", classes=("real", "Deepfakes", "Face2Face"))


def test_labels_are_the_place_of_each_rows_method(store: Path) -> None:
    rows = select([str(store)], split="train")
    taxonomy = taxonomy_of("attribution", rows)
    assert [taxonomy.classes[i] for i in taxonomy.labels(rows)] == rows.strings("method")


def test_a_method_the_taxonomy_does_not_hold_is_no_class(store: Path) -> None:
    rows = select([str(store)], split="train")
    labels = Taxonomy(task="attribution", classes=("real", "Deepfakes")).labels(rows)
    assert set(labels[np.array(rows.strings("method")) == "Face2Face"]) == {-1}


def test_detection_labels_are_those_of_the_store(store: Path) -> None:
    rows = select([str(store)], split="train")
    taxonomy = taxonomy_of("detection", rows)
    assert taxonomy.classes == ("real", "fake")
    np.testing.assert_array_equal(taxonomy.labels(rows), rows.column("label"))


@pytest.mark.parametrize(("kept", "absent"), [("real", "fake"), ("Deepfakes", "real")])
@pytest.mark.parametrize("task", ["attribution", "detection"])
def test_training_on_one_label_is_refused(store: Path, task: str, kept: str, absent: str) -> None:
    with pytest.raises(DfxError, match=f"training selection .*@method={kept}.* holds no {absent}"):
        taxonomy_of(task, select([f"{store}@method={kept}"], split="train"))


def test_a_validation_split_without_fakes_is_refused(store: Path) -> None:
    taxonomy = taxonomy_of("detection", select([str(store)], split="train"))
    with pytest.raises(DfxError, match=r"validation selection .* holds no fake"):
        check_validation(taxonomy, select([f"{store}@method=real"], split="val"))


def test_a_class_of_validation_that_training_lacks_is_named(store: Path) -> None:
    taxonomy = taxonomy_of("attribution", select([f"{store}@method=real,Deepfakes"], split="train"))
    with pytest.raises(DfxError, match=r"^Face2Face \(2 samples\) .* absent from the training split"):
        check_validation(taxonomy, select([str(store)], split="val"))


def test_an_unknown_task_is_named_with_the_nearest(store: Path) -> None:
    with pytest.raises(DfxError, match="unknown task 'atribution'; did you mean attribution"):
        taxonomy_of("atribution", select([str(store)], split="train"))
