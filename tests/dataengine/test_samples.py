"""The stream as a PyTorch dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from dataengine.batches import BadBudget
from dataengine.errors import DfxError, StoreError
from dataengine.loader import Loader
from dataengine.samples import Samples
from dataengine.selection import Rows
from tests.dataengine.made import damage, jpeg, made_rows, picture

NUM_ROWS = 30


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Unharmed; do not write to its store."""
    return made_rows(tmp_path_factory.mktemp("made"), [jpeg(picture(i)) for i in range(NUM_ROWS)])


@pytest.fixture
def own_rows(tmp_path: Path) -> Rows:
    """20 samples, that a test may harm."""
    return made_rows(tmp_path, [jpeg(picture(i)) for i in range(20)])


def label_and_row(image: np.ndarray) -> float:
    return float(image.mean())


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_the_batches_are_those_of_a_loader_for_any_number_of_workers(rows: Rows, workers: int) -> None:
    with Loader(rows, batch=8, mode="train", seed=5, rank=1, world_size=2) as loader:
        loader.set_epoch(2)
        expected = [(batch.rows.tolist(), batch.labels.tolist()) for batch in loader]
    samples = Samples(rows, batch=8, mode="train", seed=5, rank=1, world_size=2, transform=label_and_row)
    samples.set_epoch(2)
    batches = DataLoader(samples, batch_size=samples.part, num_workers=workers)
    assert [(row.tolist(), labels.tolist()) for _, labels, row in batches] == expected
    assert len(batches) == len(expected)


def test_a_new_epoch_reaches_persistent_workers(rows: Rows) -> None:
    samples = Samples(rows, batch=6, mode="train", transform=label_and_row)
    batches = DataLoader(samples, batch_size=samples.part, num_workers=2, persistent_workers=True)
    epochs = []
    for epoch in range(2):
        samples.set_epoch(epoch)
        epochs.append([row for _, _, part in batches for row in part.tolist()])
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(NUM_ROWS))
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_evaluation_sees_each_sample_once_over_ranks_and_workers(rows: Rows, world: int) -> None:
    seen = []
    for rank in range(world):
        samples = Samples(rows, batch=7, mode="eval", rank=rank, world_size=world, transform=label_and_row)
        mine = [row for _, _, row in samples]
        assert len(mine) == len(samples)
        seen += mine
    assert sorted(seen) == list(range(NUM_ROWS))


def test_it_goes_on_from_a_position(rows: Rows) -> None:
    samples = Samples(rows, batch=6, mode="train", transform=label_and_row)
    whole = [row for _, _, row in samples]
    samples.set_epoch(0, position=12)
    assert [row for _, _, row in samples] == whole[12:]


def test_images_come_as_stored_and_as_tensors_without_a_transform(rows: Rows) -> None:
    plain = Samples(rows, batch=6, mode="eval", transform=lambda image: image)
    tensors = Samples(rows, batch=6, mode="eval")
    for (image, *_), (tensor, *_) in zip(plain, tensors, strict=True):
        assert image.dtype == np.uint8
        assert tensor.dtype == torch.uint8
        assert (tensor.permute(1, 2, 0).numpy() == image).all()


def test_training_replaces_a_damaged_sample_as_the_loader_does_and_warns(own_rows: Rows) -> None:
    damage(own_rows, 4, "byte")
    with Loader(own_rows, batch=5, mode="train") as loader:
        expected = [row for batch in loader for row in batch.rows.tolist()]
    with pytest.warns(UserWarning, match="cannot be read"):
        assert [row for _, _, row in Samples(own_rows, batch=5, mode="train")] == expected
    assert 4 not in expected


def test_evaluation_leaves_a_damaged_sample_out_and_warns(own_rows: Rows) -> None:
    damage(own_rows, 4, "byte")
    with pytest.warns(UserWarning, match="cannot be read"):
        seen = [row for _, _, row in Samples(own_rows, batch=5, mode="eval")]
    assert seen == [row for row in range(20) if row != 4]


def test_past_the_budget_the_error_reaches_the_main_process(own_rows: Rows) -> None:
    for row in range(4):
        damage(own_rows, row, "byte")
    samples = Samples(own_rows, batch=5, mode="eval", budget=BadBudget(in_a_row=2))
    batches = DataLoader(samples, batch_size=samples.part, num_workers=1)
    with pytest.raises(StoreError, match="in a row"):
        list(batches)


def test_settings_that_cannot_work_are_refused(rows: Rows) -> None:
    with pytest.raises(DfxError, match="take a batch of 6"):
        Samples(rows, batch=7, mode="train", rank=0, world_size=3)
    with pytest.raises(DfxError, match="labels of shape"):
        Samples(rows, np.zeros(3, dtype=np.int64), batch=6, mode="train")
    with pytest.raises(DfxError, match="labels are float64; give whole numbers"):
        Samples(rows, np.zeros(len(rows)), batch=6, mode="train")
    with pytest.raises(TypeError, match="integer"):
        Samples(rows, batch=6, mode="train").set_epoch(1.5)
