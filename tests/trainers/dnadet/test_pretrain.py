"""The stream of pre-training: the loader's order and its promises, with a transformation for each position."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dataengine.batches import BadBudget, Batch
from dataengine.errors import DfxError, StateError, StoreError
from dataengine.loader import Loader
from dataengine.selection import Rows
from tests.dataengine.made import damage, made_rows, picture, png
from trainers.dnadet.choices import CROP_PX, choose, crop
from trainers.dnadet.pretrain import PretrainStream
from trainers.dnadet.transforms import TRANSFORMS, apply

COUNT = 22


def images() -> list[bytes]:
    return [png(picture(i, 128 + i % 3, 130 - i % 5)) for i in range(COUNT)]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Unharmed; do not write to its store."""
    return made_rows(tmp_path_factory.mktemp("made"), images())


@pytest.fixture
def own_rows(tmp_path: Path) -> Rows:
    """That a test may harm."""
    return made_rows(tmp_path, images())


def stream(rows: Rows, **changes: object) -> PretrainStream:
    return PretrainStream(rows, **{"batch": 4, "size": CROP_PX, "threads": 2, "seed": 5, **changes})  # type: ignore[arg-type]


def told(batches: list[Batch]) -> list[tuple[int, int, float]]:
    """Row, label and a sum over the pixels of each sample."""
    return [
        (int(row), int(label), float(image.double().sum()))
        for batch in batches
        for row, label, image in zip(batch.rows, batch.labels, batch.images, strict=True)
    ]


def test_the_order_is_the_loaders(rows: Rows) -> None:
    with (
        stream(rows, policy="balanced") as ours,
        Loader(rows, batch=4, mode="train", policy="balanced", size=8, seed=5, threads=1, backend="cpu") as theirs,
    ):
        for _ in range(2):
            assert [b.rows.tolist() for b in ours] == [b.rows.tolist() for b in theirs]
        assert len(ours) == len(theirs) == 5


def test_a_picture_is_the_one_of_its_row_cropped_and_transformed_as_its_label_says(rows: Rows) -> None:
    with stream(rows, mean=(0.0,) * 3, std=(1.0,) * 3) as opened:
        batches = list(opened)
    widths, heights = (rows.column(side).astype(np.int64) for side in ("width", "height"))
    numbers = [int(key.split("/")[-2]) for key in rows.strings("key")]
    for number, batch in enumerate(batches):
        at = np.arange(4 * number, 4 * number + 4)
        chosen = choose(5, 0, at, widths[batch.rows.numpy()], heights[batch.rows.numpy()])
        assert batch.labels.tolist() == chosen.transform.tolist()
        for i, row in enumerate(batch.rows.tolist()):
            whole = picture(numbers[row], int(widths[row]), int(heights[row]))
            window = crop(whole, int(chosen.left[i]), int(chosen.top[i]))
            wanted = apply(TRANSFORMS[chosen.transform[i]], window, int(chosen.noise[i]))
            assert (np.rint(batch.images[i].permute(1, 2, 0).numpy() * 255) == wanted).all()


def test_pictures_are_enlarged_as_pil_does_it_and_normalised(rows: Rows) -> None:
    with stream(rows, mean=(0.0,) * 3, std=(1.0,) * 3) as small, stream(rows, size=200) as large:
        one, other = next(iter(small)), next(iter(large))
    assert other.images.shape == (4, 3, 200, 200)
    assert other.images.is_contiguous(memory_format=torch.channels_last)
    for pixels, seen in zip(one.images, other.images, strict=True):
        levels = np.rint(pixels.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        wanted = np.asarray(Image.fromarray(levels).resize((200, 200), Image.Resampling.BICUBIC))
        levels = np.rint((seen.permute(1, 2, 0).numpy() * 0.5 + 0.5) * 255)
        assert np.abs(levels - wanted).max() <= 1  # PIL's weights have 8 bits


def take(opened: PretrainStream, count: int) -> list[tuple[int, int, float]]:
    """What the next batches hold, over as many epochs as it takes."""
    batches: list[Batch] = []
    while len(batches) < count:
        batches += islice(opened, count - len(batches))
    return told(batches)


@given(at=st.integers(0, 11), threads=st.integers(1, 3), prefetch=st.integers(1, 3))
@settings(max_examples=10, deadline=None)
def test_a_restored_stream_goes_on_with_the_very_next_sample(rows: Rows, at: int, threads: int, prefetch: int) -> None:
    with stream(rows) as whole:
        wanted = take(whole, at + 3)
    with stream(rows) as left:
        take(left, at)
        state = json.loads(json.dumps(left.state_dict()))
    with stream(rows, threads=threads, prefetch=prefetch) as restored:
        restored.load_state_dict(state)
        restored.set_epoch(state["epoch"])
        assert take(restored, 3) == wanted[4 * at :]


def test_ranks_share_what_one_process_sees(rows: Rows) -> None:
    with stream(rows) as one:
        wanted = [told([batch]) for batch in one]
    parts = []
    for rank in range(2):
        with stream(rows, rank=rank, world_size=2) as part:
            parts.append([told([batch]) for batch in part])
    assert [a + b for a, b in zip(*parts, strict=True)] == wanted


@pytest.mark.gpu
def test_a_gpu_gets_the_same_pictures(rows: Rows) -> None:
    with stream(rows, size=200) as here, stream(rows, size=200, device="cuda") as there:
        for ours, theirs in zip(here, there, strict=True):
            assert theirs.images.device.type == theirs.labels.device.type == "cuda"
            assert (ours.rows.tolist(), ours.labels.tolist()) == (theirs.rows.tolist(), theirs.labels.tolist())
            assert (ours.images - theirs.images.cpu()).abs().max() <= 1.01 / 127.5  # a level, where rounding differs


def test_each_epoch_has_other_transformations(rows: Rows) -> None:
    with stream(rows) as opened:
        first, second = ({row: label for row, label, _ in told(list(opened))} for _ in range(2))
    both = first.keys() & second.keys()
    assert sum(first[row] != second[row] for row in both) > 0.8 * len(both)


def test_in_evaluation_a_sample_gets_the_same_transformation_whatever_is_selected(rows: Rows, tmp_path: Path) -> None:
    with stream(rows, mode="eval") as whole:
        batches = list(whole)
        again = told(list(whole))
    assert sum(int(batch.valid.sum()) for batch in batches) == COUNT
    assert [bool(batch.valid.all()) for batch in batches] == [True] * 5 + [False]
    assert told(batches) == again
    with stream(rows, mode="eval", batch=5, seed=9) as other:
        real = [entry for entry in told(list(other)) if entry[0] >= 0]
    assert real == [entry for entry in told(batches) if entry[0] >= 0]


def test_a_bad_picture_is_replaced_under_the_transformation_of_its_place(own_rows: Rows) -> None:
    with stream(own_rows) as before:
        wanted = told(list(before))
    damage(own_rows, 3, "zeros")
    with stream(own_rows) as opened:
        batches = list(opened)
        found = opened.bad
    seen = told(batches)
    assert [bad.row for bad in found] == [3]
    assert all(bool(batch.valid.all()) for batch in batches)
    assert [label for _, label, _ in seen] == [label for _, label, _ in wanted]
    changed = [(a[0], b[0]) for a, b in zip(wanted, seen, strict=True) if a != b]
    assert [a for a, _ in changed] == [3]
    assert all(b != 3 for _, b in changed)


def test_a_bad_picture_of_evaluation_is_not_valid(own_rows: Rows) -> None:
    damage(own_rows, 3, "zeros")
    with stream(own_rows, mode="eval") as opened:
        batches = list(opened)
    invalid = [int(row) for batch in batches for row in batch.rows[~batch.valid]]
    assert invalid == [3, -1, -1]
    assert not batches[0].images[3].any()


def test_past_the_budget_the_stream_stops(own_rows: Rows) -> None:
    for row in (1, 5, 9):
        damage(own_rows, row, "byte")
    with stream(own_rows, budget=BadBudget(share=0.05)) as opened, pytest.raises(StoreError, match="of 22 samples"):
        list(opened)


def test_a_state_of_another_stream_is_refused(rows: Rows) -> None:
    with stream(rows) as opened:
        state = opened.state_dict()
        for changes, says in (
            ({"seed": 6}, "'seed' is 6 there and 5 here"),
            ({"transforms": "x"}, "'transforms'"),
            ({"position": -1}, "position is -1"),
            ({"position": 99}, "99 of 22"),
            ({"epoch": None}, "epoch is None"),
        ):
            with pytest.raises(StateError, match=says):
                opened.load_state_dict({**state, **changes})


def test_a_new_pass_ends_the_one_before_and_set_epoch_goes_to_a_start(rows: Rows) -> None:
    with stream(rows) as opened:
        first = iter(opened)
        next(first)
        second = iter(opened)
        assert next(first, None) is None
        later = told([next(second)])
        opened.set_epoch(0)
        assert opened.state_dict()["position"] == 8
        opened.set_epoch(1)
        assert (opened.state_dict()["epoch"], opened.state_dict()["position"]) == (1, 0)
        opened.set_epoch(0)
        assert told([*islice(opened, 2)])[4:] == later


@pytest.mark.parametrize("name", ["size", "threads", "prefetch"])
def test_settings_below_one_are_refused(name: str, rows: Rows) -> None:
    with pytest.raises(DfxError, match=f"{name} is 0"):
        stream(rows, **{name: 0})
