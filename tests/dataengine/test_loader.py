"""The stream of batches."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import subprocess
import sys
import threading
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataengine.batches import BadBudget, Batch
from dataengine.errors import DfxError, StateError, StoreError
from dataengine.fetch import Shards
from dataengine.loader import Loader
from dataengine.order import Balanced, Blocked, Groups, Mixed, Order, Policy, Sequential, Shuffled
from dataengine.selection import Rows
from tests.dataengine.made import BACKENDS, ON_DALI, cmyk, damage, first, jpeg, made_rows, on, picture, store_damaged

NUM_ROWS = 45
ROOT = Path(__file__).parents[2]
POLICIES = st.sampled_from(
    [
        Shuffled(),
        Shuffled(frames_per_clip=1),
        Sequential(),
        Blocked(window=2),
        Balanced(),
        Balanced(by=("method", "label"), length=61),
        Groups(classes=2, per_class=2),
        Mixed(weights=(("store", 1.0),), within=Balanced()),
    ]
)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Unharmed; do not write to its store."""
    root = tmp_path_factory.mktemp("made")
    return made_rows(root, [jpeg(picture(i)) for i in range(NUM_ROWS)], ["real", "FaceSwap", "Deepfakes"])


@pytest.fixture
def own_rows(tmp_path: Path) -> Rows:
    """20 samples, that a test may harm."""
    return made_rows(tmp_path, [jpeg(picture(i)) for i in range(20)])


def labels_of(rows: Rows) -> np.ndarray:
    return rows.codes("method")[0]


def open_loader(rows: Rows, **changes: object) -> Loader:
    chosen = {"batch": 8, "mode": "train", "size": 16, "threads": 2, "dtype": torch.uint8, "seed": 3, **changes}
    return Loader(rows, labels_of(rows), **chosen)


def rows_of(batches: list[Batch]) -> list[int]:
    return torch.cat([batch.rows for batch in batches]).tolist()


@given(count=st.integers(1, NUM_ROWS), batch=st.integers(1, 50), world=st.integers(1, 7))
@settings(deadline=None, max_examples=40)
def test_evaluation_sees_each_sample_once_for_any_number_of_rows_batch_and_world_size(
    rows: Rows, count: int, batch: int, world: int
) -> None:
    some, seen, lengths = first(rows, count), Counter(), set()
    for rank in range(world):
        with open_loader(some, mode="eval", batch=batch, rank=rank, world_size=world) as loader:
            batches = list(loader)
            lengths.add(len(batches))
            assert len(loader) == len(batches)
        for got in batches:
            assert (got.valid == (got.rows >= 0)).all()
            assert (got.labels[got.valid] == torch.from_numpy(labels_of(some))[got.rows[got.valid]]).all()
            assert not got.images[~got.valid].any()
            seen.update(got.rows[got.valid].tolist())
    assert seen == Counter(range(count))
    assert len(lengths) == 1


@given(part=st.integers(1, 6), world=st.integers(1, 5), epoch=st.integers(0, 3), policy=POLICIES)
@settings(deadline=None, max_examples=40)
def test_training_has_one_global_order_for_any_world_size_that_divides_the_batch(
    rows: Rows, part: int, world: int, epoch: int, policy: Policy
) -> None:
    batch = part * policy.group * world
    assume(batch <= Order(policy, rows, 3).length(epoch))
    ranks = []
    for rank in range(world):
        with open_loader(rows, batch=batch, rank=rank, world_size=world, policy=policy) as loader:
            loader.set_epoch(epoch)
            ranks.append(torch.stack([got.rows for got in loader]))
    order = Order(policy, rows, 3)
    length = order.length(epoch) // batch * batch
    assert torch.cat(ranks, dim=1).flatten().tolist() == order.rows(np.arange(length), epoch).tolist()


@given(data=st.data(), worlds=st.tuples(*[st.sampled_from([1, 2, 3, 6])] * 2), policy=POLICIES)
@settings(deadline=None, max_examples=40)
def test_a_resumed_stream_goes_on_with_the_next_sample_on_any_world_size(
    rows: Rows, data: st.DataObject, worlds: tuple[int, int], policy: Policy
) -> None:
    taken = data.draw(st.integers(0, 2 * (NUM_ROWS // 6)))
    batch = 6 * policy.group
    before, after = ([] for _ in range(2))
    for rank in range(worlds[0]):
        with open_loader(rows, batch=batch, rank=rank, world_size=worlds[0], policy=policy) as loader:
            before.append([got.rows for got in _batches(loader, taken)])
            state = json.loads(json.dumps(loader.state_dict()))
    for rank in range(worlds[1]):
        with open_loader(rows, batch=batch, rank=rank, world_size=worlds[1], policy=policy) as loader:
            loader.load_state_dict(state)
            after.append([got.rows for got in _batches(loader, 4)])
    with open_loader(rows, batch=batch, policy=policy) as loader:
        whole = [got.rows for got in _batches(loader, taken + 4)]
    resumed = [torch.cat(parts) for ranks in (before, after) for parts in zip(*ranks, strict=True)]
    assert [part.tolist() for part in resumed] == [part.tolist() for part in whole]


def _batches(loader: Loader, count: int) -> list[Batch]:
    """So many batches, over as many epochs as they take."""
    found: list[Batch] = []
    while len(found) < count:
        found += islice(loader, count - len(found))
    return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_resumed_stream_repeats_the_very_pixels(rows: Rows, backend: str) -> None:
    with open_loader(rows, augment="supcon", **on(backend)) as loader:
        taken = list(islice(loader, 2))
        state = loader.state_dict()
        rest = list(loader)
    with open_loader(rows, augment="supcon", threads=1, **on(backend)) as loader:
        loader.load_state_dict(state)
        again = list(loader)
    assert len(taken) + len(rest) == NUM_ROWS // 8
    agree(rest, again)
    assert all((a.images == b.images).all() for a, b in zip(rest, again, strict=True))


@pytest.mark.parametrize("backend", ON_DALI)
@pytest.mark.parametrize("saved", [True, False])
def test_a_state_saved_under_one_backend_goes_on_with_the_next_sample_under_the_other(
    rows: Rows, backend: str, saved: bool
) -> None:
    before, after = (backend, "cpu") if saved else ("cpu", backend)
    with open_loader(rows, augment="crop", **on(before)) as loader:
        list(islice(loader, 2))
        state = json.loads(json.dumps(loader.state_dict()))
        rest = list(loader)
    with open_loader(rows, augment="crop", **on(after)) as loader:
        loader.load_state_dict(state)
        agree(rest, list(loader))


def agree(batches: list[Batch], others: list[Batch]) -> None:
    """The same samples, and pixels to 2 of 255."""
    for a, b in zip(batches, others, strict=True):
        assert (a.rows == b.rows).all()
        assert (a.labels.cpu() == b.labels.cpu()).all()
        assert (a.images.cpu().int() - b.images.cpu().int()).abs().max() <= 2


@pytest.mark.parametrize("backend", ON_DALI)
def test_backends_give_the_same_stream(rows: Rows, backend: str) -> None:
    with open_loader(rows, augment="crop") as cpu, open_loader(rows, augment="crop", **on(backend)) as dali:
        for _ in range(2):
            agree(list(cpu), list(dali))


@pytest.mark.parametrize("backend", ON_DALI)
def test_a_device_that_lags_behind_still_gets_each_batch_as_it_was(rows: Rows, backend: str) -> None:
    side = 4096 if backend == "cuda" else 8
    images = []
    with open_loader(rows, **on(backend)) as loader:
        for batch in loader:
            work = torch.eye(side, device=batch.images.device)
            for _ in range(20):
                work = work @ work
            images.append(batch.images.clone())  # waits behind that work, while the batch's own memory is given back
            del batch
    with open_loader(rows) as cpu:
        for batch, image in zip(cpu, images, strict=True):
            assert (batch.images.int() - image.cpu().int()).abs().max() <= 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_jpeg_of_four_inks_gets_into_a_store_and_comes_out_in_its_colours(tmp_path: Path, backend: str) -> None:
    image = np.full((40, 40, 3), (200, 100, 50), np.uint8)
    inked = made_rows(tmp_path, [cmyk(image), cmyk(image, "YCCK"), cmyk(image, "bare"), jpeg(image)])
    with open_loader(inked, mode="eval", batch=4, **on(backend)) as loader:
        (batch,) = loader
        assert batch.valid.all()
        assert not loader.fallbacks
    assert (batch.images.cpu().int() - torch.tensor([200, 100, 50]).view(3, 1, 1)).abs().max() <= 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_batches_that_are_kept_do_not_change_when_later_ones_arrive(rows: Rows, backend: str) -> None:
    for dtype in (torch.uint8, torch.float32):
        with open_loader(rows, mode="eval", dtype=dtype, **on(backend)) as loader:
            kept = list(loader)
            copies = [batch.images.clone() for batch in kept]
            list(loader)
        assert all((batch.images == copy).all() for batch, copy in zip(kept, copies, strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_images_are_normalised_by_channel(rows: Rows, dtype: torch.dtype, backend: str) -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    shown = {"mode": "eval", **on(backend)}
    with open_loader(rows, **shown) as raw, open_loader(rows, dtype=dtype, **shown) as scaled:
        pixels, images = next(iter(raw)).images.cpu(), next(iter(scaled)).images.cpu()
    expected = (pixels / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    assert images.dtype == dtype
    assert images.shape == (8, 3, 16, 16)
    torch.testing.assert_close(images, expected.to(dtype), rtol=1e-2 if dtype != torch.float32 else 1e-5, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_views_stand_in_front(rows: Rows, backend: str) -> None:
    with open_loader(rows, augment="supcon", **on(backend)) as loader:
        images = next(iter(loader)).images
    assert images.shape == (2, 8, 3, 16, 16)
    assert (images[0] != images[1]).any()


def test_iterating_again_gives_the_next_epoch_in_another_order(rows: Rows) -> None:
    with open_loader(rows) as loader:
        epochs = [rows_of(list(loader)) for _ in range(2)]
        assert loader.state_dict()["epoch"] == 2
    assert epochs[0] != epochs[1]


def test_breaking_out_keeps_the_position(rows: Rows) -> None:
    with open_loader(rows) as loader:
        whole = rows_of(list(loader))
        loader.load_state_dict({**loader.state_dict(), "epoch": 0, "position": 0})
        for batch in loader:
            start = batch.rows.tolist()
            break
        assert start + rows_of(list(loader)) == whole


def test_leaving_after_the_last_batch_makes_the_next_pass_a_whole_epoch(rows: Rows) -> None:
    with open_loader(rows) as loader:
        for epoch in range(2):
            assert len([batch for _, batch in zip(range(len(loader)), loader, strict=False)]) == len(loader), epoch


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_state_after_the_last_batch_resumes_with_the_next_epoch(rows: Rows, mode: str) -> None:
    with open_loader(rows, mode=mode) as loader:
        list(islice(loader, len(loader)))
        state = loader.state_dict()
        expected = rows_of(list(loader))
    with open_loader(rows, mode=mode) as loader:
        loader.load_state_dict(state)
        assert rows_of(list(loader)) == expected


def test_setting_the_restored_epoch_again_keeps_the_position(rows: Rows) -> None:
    with open_loader(rows) as loader:
        list(islice(loader, 2))
        loader.set_epoch(0)
        assert loader.state_dict()["position"] == 16
        loader.set_epoch(4)
        assert (loader.state_dict()["epoch"], loader.state_dict()["position"]) == (4, 0)


def test_a_new_iterator_ends_the_last_one(rows: Rows) -> None:
    with open_loader(rows) as loader:
        old = iter(loader)
        seen = [next(old).rows]
        seen.append(next(iter(loader)).rows)
        assert next(old, None) is None
        assert torch.cat(seen).tolist() == Order(Shuffled(), rows, 3).rows(np.arange(16), 0).tolist()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 4}, "'seed' is 3 there and 4 here"),
        ({"augment": "crop"}, "augment"),
        ({"policy": Balanced()}, "'policy' is shuffled there and balanced here"),
    ],
)
def test_a_state_of_another_stream_is_refused_naming_both_sides(
    rows: Rows, change: dict[str, object], named: str
) -> None:
    with open_loader(rows) as loader:
        state = loader.state_dict()
    with open_loader(rows, **change) as other, pytest.raises(StateError, match=named):
        other.load_state_dict(state)


def test_a_state_of_another_store_or_selection_is_refused(rows: Rows, own_rows: Rows) -> None:
    with open_loader(rows) as loader:
        state = loader.state_dict()
    with open_loader(own_rows) as other, pytest.raises(StateError, match="fingerprints"):
        other.load_state_dict(state)


@pytest.mark.parametrize("wrong", [{"position": -1}, {"position": "4"}, {"epoch": None}, {"format": 1}])
def test_a_damaged_state_is_refused(rows: Rows, wrong: dict[str, object]) -> None:
    with open_loader(rows) as loader, pytest.raises(StateError, match=next(iter(wrong))):
        loader.load_state_dict({**loader.state_dict(), **wrong})


def test_a_batch_that_the_world_does_not_divide_names_the_nearest(rows: Rows) -> None:
    with pytest.raises(DfxError, match="take a batch of 9"):
        open_loader(rows, batch=10, world_size=3)


def test_groups_lie_whole_in_a_ranks_part_unless_embeddings_are_gathered(rows: Rows) -> None:
    policy = Groups(classes=3, per_class=2)
    with pytest.raises(DfxError, match="does not hold whole groups of 6 on each of 2 ranks; take a batch of 24"):
        open_loader(rows, batch=18, world_size=2, rank=0, policy=policy)
    with open_loader(rows, batch=18, world_size=2, rank=0, policy=policy, gathered=True) as loader:
        assert len(next(iter(loader)).rows) == 9


def test_pickling_a_loader_says_what_to_send_instead(rows: Rows) -> None:
    with open_loader(rows) as loader, pytest.raises(TypeError, match="state_dict"):
        pickle.dumps(loader)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(("device", "said"), [("cuda", "0 GPUs found"), ("gpu", "'gpu' is no device")])
def test_a_device_that_is_not_there_is_one_line(rows: Rows, device: str, said: str) -> None:
    with pytest.raises(DfxError, match=said):
        open_loader(rows, device=device)


def test_a_policy_may_be_a_text_and_labels_be_left_out(rows: Rows) -> None:
    with Loader(rows, batch=6, mode="train", policy="balanced:by=label", size=16) as loader:
        for batch in loader:
            assert batch.labels.tolist() == [int(label) for label in rows.column("label")[batch.rows.numpy()]]
            assert batch.labels.sum() == 3
        assert loader.state_dict()["policy"] == "balanced:by=label"


def test_rank_and_world_size_are_those_of_the_process(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_loader(rows, rank=1, world_size=2) as loader:
        expected = rows_of(list(loader))
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with open_loader(rows) as loader:
        assert rows_of(list(loader)) == expected


def test_a_fixed_degradation_goes_with_the_sample_whatever_stands_beside_it(rows: Rows) -> None:
    def images(some: Rows, **changes: object) -> dict[str, torch.Tensor]:
        keys, found = some.strings("key"), {}
        with open_loader(some, augment="robustness:noise:3", **changes) as loader:
            for batch in loader:
                found |= {keys[row]: image for row, image in zip(batch.rows, batch.images, strict=True) if row >= 0}
        return found

    alone, among = images(first(rows, 9), mode="eval", seed=1), images(rows, mode="eval", seed=2, batch=7)
    assert all(torch.equal(image, among[key]) for key, image in alone.items())


def test_training_on_fewer_rows_than_a_batch_is_an_error(rows: Rows) -> None:
    with pytest.raises(DfxError, match="at most 5"):
        open_loader(first(rows, 5), batch=8)


@pytest.mark.parametrize(
    "wrong",
    [{"batch": 0}, {"size": 0}, {"threads": 0}, {"prefetch": 0}, {"rank": 1}, {"std": (0.2, 0.0, 0.2)}],
)
def test_settings_that_cannot_work_are_refused(rows: Rows, wrong: dict[str, object]) -> None:
    with pytest.raises(DfxError, match=next(iter(wrong))):
        open_loader(rows, **wrong)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["zeros", "byte", "truncate"])
def test_training_replaces_a_damaged_sample_by_one_of_its_class(own_rows: Rows, backend: str, kind: str) -> None:
    harmed = len(own_rows) - 1
    with open_loader(own_rows, batch=10) as loader:
        expected = rows_of(list(loader))
    damage(own_rows, harmed, kind)
    with open_loader(own_rows, batch=10, **on(backend)) as loader:
        batches = list(loader)
        assert [bad.row for bad in loader.bad] == [harmed]
        assert loader.bad[0].key == own_rows.strings("key")[harmed]
    seen, place = rows_of(batches), expected.index(harmed)
    labels = labels_of(own_rows)
    assert seen[place] != harmed
    assert labels[seen[place]] == labels[harmed]
    assert seen[:place] + seen[place + 1 :] == expected[:place] + expected[place + 1 :]
    assert torch.cat([batch.labels for batch in batches]).tolist() == labels[seen].tolist()
    assert all(batch.valid.all() for batch in batches)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["zeros", "byte", "truncate"])
def test_evaluation_marks_a_damaged_sample_and_keeps_the_rest(own_rows: Rows, backend: str, kind: str) -> None:
    harmed = len(own_rows) - 1
    damage(own_rows, harmed, kind)
    with open_loader(own_rows, mode="eval", dtype=torch.float32, **on(backend)) as loader:
        batches = list(loader)
        assert [bad.row for bad in loader.bad] == [harmed]
        list(loader)
        assert len(loader.bad) == 1
    real = torch.cat([batch.valid for batch in batches])
    assert rows_of(batches)[: len(own_rows)] == list(range(len(own_rows)))
    assert real[: len(own_rows)].tolist() == [row != harmed for row in range(len(own_rows))]
    assert not batches[-1].images[~batches[-1].valid].any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_sample_that_was_stored_damaged_ends_no_run(own_rows: Rows, backend: str) -> None:
    rows = store_damaged(own_rows, 4)
    with open_loader(rows, mode="eval", batch=5) as loader:
        assert sum(int((~batch.valid).sum()) for batch in loader) == 1
        assert "cannot be decoded" in loader.bad[0].reason
    with open_loader(rows, batch=5, **on(backend)) as loader:
        assert sum(len(batch.rows) for batch in loader) == 20
        assert sum(loader.fallbacks.values()) <= 1


@pytest.mark.parametrize("backend", ON_DALI)
def test_both_backends_replace_a_damaged_sample_alike(own_rows: Rows, backend: str) -> None:
    damage(own_rows, 3, "zeros")
    with open_loader(own_rows, augment="crop") as cpu, open_loader(own_rows, augment="crop", **on(backend)) as dali:
        agree(list(cpu), list(dali))


def test_past_the_share_of_bad_samples_the_error_names_shard_count_and_remedy(own_rows: Rows) -> None:
    for row in range(3):
        damage(own_rows, row, "byte")
    shard = own_rows.shard_files[0].name
    problem = rf"3 of 20 samples .* in \S*{shard}: its bytes .*for that tar, run `dfx repair "
    with (
        open_loader(own_rows, mode="eval", budget=BadBudget(share=0.1)) as loader,
        pytest.raises(StoreError, match=problem),
    ):
        list(loader)


def test_past_the_bad_samples_in_a_row_a_run_ends_even_where_a_class_has_no_good_one(own_rows: Rows) -> None:
    for row in np.flatnonzero(labels_of(own_rows) == 1).tolist():
        damage(own_rows, row, "byte")
    with (
        open_loader(own_rows, batch=10, budget=BadBudget(in_a_row=8, share=1.0)) as loader,
        pytest.raises(StoreError, match="9 samples in a row"),
    ):
        list(loader)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_thread_is_left_by_a_loader_that_was_left_early_and_closed(rows: Rows, backend: str) -> None:
    before = set(threading.enumerate())
    with open_loader(rows, **on(backend)) as loader:
        next(iter(loader))
    assert set(threading.enumerate()) == before


def test_no_thread_is_left_by_a_loader_that_was_forgotten_in_mid_stream(rows: Rows) -> None:
    before = set(threading.enumerate())
    stream = iter(open_loader(rows))
    next(stream)
    mine = set(threading.enumerate()) - before
    assert mine
    del stream
    for thread in mine:
        thread.join(10)
    assert not any(thread.is_alive() for thread in mine)


def test_an_exception_in_the_loop_leaves_the_loader_usable(rows: Rows) -> None:
    with open_loader(rows) as loader:
        with contextlib.suppress(KeyError):
            for _ in loader:
                raise KeyError
        assert len(list(loader)) == len(loader) - 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_interpreter_exits_with_a_stream_still_open(rows: Rows, backend: str) -> None:
    program = f"""
import numpy as np
from dataengine.loader import Loader
from dataengine.selection import select
rows = select([{str(rows.stores[0].root)!r}])
loader = Loader(rows, np.zeros(len(rows), np.int64), batch=8, mode="train", size=16, **{on(backend)!r})
stream = iter(loader)
next(stream)
print("open")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "open\n")
    absent = re.compile("nvjpeg2k|nvjpeg2000|nvtiff", re.IGNORECASE)  # codecs of DALI's that dfx does without
    assert [line for line in done.stderr.splitlines() if not absent.search(line)] == []


def test_the_waiting_time_is_counted(rows: Rows) -> None:
    with open_loader(rows) as loader:
        list(loader)
        assert loader.wait_s > 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("error", [StoreError("gone"), RuntimeError("no thread")])
def test_what_reading_raises_ends_the_stream_on_either_backend(
    rows: Rows, backend: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Shards.read
    target = NUM_ROWS - 12

    def failing(self: Shards, row: int) -> memoryview:
        if row == target:
            raise error
        return read(self, row)

    monkeypatch.setattr(Shards, "read", failing)
    with open_loader(rows, mode="eval", **on(backend)) as loader, pytest.raises(type(error), match=str(error)):
        list(loader)


FORKED = """
import os, sys
from dataengine.loader import Loader
from dataengine.selection import select

loader = Loader(select(sys.argv[1]), batch=8, mode="train", size=16, threads=1)
next(iter(loader))
if os.fork() == 0:
    try:
        next(iter(loader))
    except ValueError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_loader_used_before_a_fork_is_refused_in_the_child_rather_than_waiting_for_ever(rows: Rows) -> None:
    command = [sys.executable, "-c", FORKED, str(rows.stores[0].root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True, cwd=ROOT)
    assert "make a new one here" in done.stdout


def test_numpys_integers_leave_the_state_json(rows: Rows) -> None:
    with open_loader(rows, seed=np.int64(3)) as loader:
        loader.set_epoch(np.int64(2))
        assert json.loads(json.dumps(loader.state_dict()))["epoch"] == 2
