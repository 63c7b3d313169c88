from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from dataengine.augment import augment_preset
from dataengine.batches import Batch
from dataengine.errors import StateError
from dataengine.loader import Loader
from dataengine.selection import Rows
from tests.trainers.tiny_store import write_store
from trainers.config import TrainConfig
from trainers.stream import train_stream
from trainers.taxonomy import Taxonomy
from trainers.transfer.alternating import Alternating
from trainers.transfer.sides import parts_of, rows_of

TWO = Taxonomy(task="detection", classes=("real", "fake"))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    root = tmp_path_factory.mktemp("alternating")
    own = write_store(root / "own", clips={"train": 6, "val": 1})
    new = write_store(root / "new", clips={"train": 6, "val": 1}, methods=("real", "FaceSwap"), seed=1)
    return TrainConfig(
        data=(str(own),), mix=(str(new),), samples=12, batch=4, task="detection", model="test_resnet", weights="none",
        size=32, threads=1, policy="shuffled", backend="cpu", device="cpu",
    )  # fmt: skip


@pytest.fixture
def stream(config: TrainConfig) -> Iterator[Alternating]:
    with_mix = open_stream(config)
    yield with_mix
    with_mix.close()


def open_stream(config: TrainConfig) -> Alternating:
    stream = train_stream(config, TWO, rows_of(config, "train"), augment_preset("crop"))
    assert isinstance(stream, Alternating)
    return stream


def keys_of(part: Rows, batch: Batch) -> set[str]:
    keys = part.strings("key")
    return {keys[row] for row in batch.rows.tolist()}


def test_batches_alternate_and_an_epoch_holds_each_sides_frames_once(config: TrainConfig, stream: Alternating) -> None:
    parts = parts_of(config, rows_of(config, "train"))
    assert len(stream) == 6
    for _ in range(2):
        batches = list(stream)
        seen = [keys_of(parts[i % 2], batch) for i, batch in enumerate(batches)]
        assert len(seen) == 6
        for side, part in enumerate(parts):
            assert sorted(itertools.chain(*seen[side::2])) == sorted(part.strings("key"))


@pytest.mark.parametrize("done", [1, 2, 5, 6, 8])
def test_a_stream_goes_on_bit_for_bit_where_its_state_was_taken(
    config: TrainConfig, stream: Alternating, done: int
) -> None:
    whole = [batch.images for _ in range(2) for batch in stream]
    for number, _ in enumerate(taken(first := open_stream(config)), 1):
        if number == done:
            break
    state = first.state_dict()
    first.close()
    later = open_stream(config)
    later.load_state_dict(state)
    rest = [batch.images for _ in range(2 - done // 6) for batch in later]
    later.close()
    assert len(rest) == 12 - done
    assert all(torch.equal(a, b) for a, b in zip(rest, whole[done:], strict=True))


def taken(stream: Alternating) -> Iterator[Batch]:
    while True:
        yield from stream


def test_a_state_of_other_streams_is_refused(config: TrainConfig, stream: Alternating) -> None:
    state = stream.state_dict()
    with pytest.raises(StateError, match="another number of streams"):
        stream.load_state_dict({**state, "sides": state["sides"][:1]})
    with pytest.raises(StateError, match="another stream's: 'seed'"):
        stream.load_state_dict({**state, "sides": state["sides"][::-1]})


def test_an_epoch_ends_with_the_shorter_side_and_the_longer_one_begins_anew(config: TrainConfig) -> None:
    own, new = parts_of(config, rows_of(config, "train"))
    shorter = replace(new, table=new.table.slice(0, 5))
    loaders = [Loader(part, batch=2, mode="train", size=32, threads=1, backend="cpu") for part in (own, shorter)]
    stream = Alternating(loaders)
    assert len(stream) == 4
    epochs = [[batch.rows.tolist() for batch in stream] for _ in range(2)]
    stream.close()
    with Loader(own, batch=2, mode="train", size=32, threads=1, backend="cpu") as alone:
        for epoch, rows in enumerate(epochs):
            alone.set_epoch(epoch)
            assert rows[::2] == [batch.rows.tolist() for batch in itertools.islice(alone, 2)]


def test_left_after_its_last_batch_a_stream_begins_the_next_epoch(stream: Alternating) -> None:
    whole = [batch.images for _ in range(2) for batch in stream]
    stream.load_state_dict({**stream.state_dict(), "epoch": 0, "sides": sides_at(stream, epoch=0)})
    list(zip(range(6), stream, strict=False))
    again = [batch.images for batch in stream]
    assert all(torch.equal(a, b) for a, b in zip(again, whole[6:], strict=True))


def sides_at(stream: Alternating, *, epoch: int) -> list[dict[str, object]]:
    return [{**side, "epoch": epoch, "position": 0} for side in stream.state_dict()["sides"]]
