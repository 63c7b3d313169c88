"""A training's input and step, timed on a tiny store."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from dataengine.errors import DfxError, StoreError
from dataengine.order import Balanced
from dataengine.selection import select
from dataengine.store import Store
from trainers.config import TrainConfig
from trainers.profile.measure import profile
from trainers.profile.reading import Reader, fetched
from trainers.profile.record import STAGES, Profile

ROUND = ["storage", "decode", "augmentation", "cached step", "real step"]


def settings(store: Store) -> TrainConfig:
    return TrainConfig(
        data=(str(store.root),), model="test_resnet", weights="imagenet", size=32, batch=6, threads=1, device="cpu"
    )


@pytest.fixture(scope="module")
def heard() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture(scope="module")
def found(whole_store: Store, heard: list[tuple[str, int, int]]) -> Profile:
    config = replace(settings(whole_store), loss="ce+supcon")
    return profile(config, steps=2, rounds=2, on_round=lambda *turn: heard.append(turn))


def test_the_stages_take_turns(found: Profile, heard: list[tuple[str, int, int]]) -> None:
    assert heard == [(name, done, 10) for done, name in enumerate(ROUND * 2, start=1)]


def test_a_profile_holds_what_was_timed(found: Profile, whole_store: Store) -> None:
    assert (found.model, found.loss, found.size, found.batch) == ("test_resnet", "ce+supcon", 32, 6)
    assert (found.backend, found.device, found.threads, found.views) == ("cpu", "cpu", 1, 2)
    for timing in (found.storage, found.decode, found.loader, found.cached_step, found.step):
        assert 0 < timing.low <= timing.ms <= timing.high
    assert 0 <= found.wait.ms <= found.step.high
    assert found.first_read_ms > 0
    rows = select([str(whole_store.root)], split="train")
    assert found.data_bytes == rows.column("size").sum()
    assert found.room_bytes > found.data_bytes
    assert found.stays
    assert not found.remote


def test_its_json_has_stable_keys(found: Profile) -> None:
    payload = json.loads(json.dumps(found.as_dict()))
    assert list(payload) == [*(field.name for field in fields(Profile)), "stages", "cold", "stays", "spread"]
    assert list(payload["stages"]) == list(STAGES)
    assert list(payload["step"]) == ["ms", "low", "high", "spread"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"data": ("nowhere",)}, "no store at nowhere"),
        ({"model": "test_resnot"}, "unknown model 'test_resnot'; did you mean test_resnet"),
        ({"augment": "krop"}, "unknown augmentation 'krop'"),
        ({"batch": 500}, "holds no batch of 500"),
    ],
)
def test_what_a_training_refuses_is_refused(whole_store: Store, change: dict[str, object], error: str) -> None:
    with pytest.raises(DfxError, match=error) as raised:
        profile(replace(settings(whole_store), **change))
    assert "\n" not in str(raised.value)


def test_no_step_or_round_is_an_error(whole_store: Store) -> None:
    for name in ("steps", "rounds"):
        with pytest.raises(DfxError, match=f"{name} is 0; give at least 1"):
            profile(settings(whole_store), **{name: 0})


def test_a_store_that_is_missing_is_a_store_error(whole_store: Store) -> None:
    with pytest.raises(StoreError):
        profile(replace(settings(whole_store), data=("nowhere",)))


def test_the_reader_reads_each_sample_of_the_first_batches_once(whole_store: Store) -> None:
    rows = select([str(whole_store.root)], split="train")
    with Reader(rows, settings(whole_store), Balanced(), steps=2, threads=2) as reader:
        assert reader.first() > 0
        assert reader.again() > 0
        assert 0 < len(reader.rows) <= 12
        assert len(set(reader.rows.tolist())) == len(reader.rows)


def test_rows_that_were_fetched_fill_whole_shards(whole_store: Store) -> None:
    rows = select([str(whole_store.root)], split="train")
    near, ms = fetched(rows, 6)
    assert ms > 0
    assert len(near) == len(rows)  # all of a small store is fetched in time
    assert near.table.equals(rows.table)
