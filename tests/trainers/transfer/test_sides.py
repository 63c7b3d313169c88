from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import DfxError
from dataengine.selection import Rows, select
from tests.trainers.tiny_store import METHODS, write_store
from trainers.config import TrainConfig
from trainers.transfer.sides import draw, parts_of, rows_of


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sides")
    write_store(root / "own", clips={"train": 10, "val": 2})
    write_store(root / "new", clips={"train": 4, "val": 3}, methods=("real", "FaceSwap"), seed=1)
    return root


def mixed(stores: Path, own: str, new: str, **settings: Any) -> TrainConfig:
    given = {"task": "detection", "samples": 8, "batch": 4, **settings}
    return TrainConfig(data=(f"{stores}/{own}",), mix=(f"{stores}/{new}",), **given)


@pytest.fixture(scope="module")
def rows(stores: Path) -> Rows:
    return select([f"{stores}/own"], split="train")


@given(samples=st.integers(2, 40), seed=st.integers(0, 2**32 - 1))
def test_a_draw_is_half_real_and_spread_over_methods(rows: Rows, samples: int, seed: int) -> None:
    drawn = draw(rows, samples, seed)
    counts = Counter(drawn.strings("method"))
    fakes = [counts[name] for name in METHODS[1:]]
    assert (counts["real"], sum(fakes)) == (samples // 2, samples - samples // 2)
    assert max(fakes) - min(fakes) <= 1
    assert len(set(drawn.strings("key"))) == samples
    assert draw(rows, samples, seed).table.equals(drawn.table)


def test_another_seed_draws_other_frames_and_rows_stay_in_the_stores_order(rows: Rows) -> None:
    one, other = draw(rows, 20, 0), draw(rows, 20, 1)
    assert one.strings("key") != other.strings("key")
    place = {key: i for i, key in enumerate(rows.strings("key"))}
    places = [place[key] for key in one.strings("key")]
    assert places == sorted(places)


def test_a_method_with_few_frames_gives_them_all_and_the_others_the_rest(stores: Path) -> None:
    both = select([f"{stores}/own", f"{stores}/new"], split="train")
    counts = Counter(draw(both, 56, 0).strings("method"))
    assert counts == {"real": 28, "Deepfakes": 10, "Face2Face": 10, "FaceSwap": 8}


def test_too_few_frames_are_refused(rows: Rows) -> None:
    with pytest.raises(DfxError, match="has 20 real frames to draw from, and 42 samples take 21"):
        draw(rows, 42, 0)


def test_the_sides_of_one_store_share_no_frame(stores: Path) -> None:
    config = mixed(stores, "own@method=real,Deepfakes", "own@method=real,Face2Face", samples=20)
    own, new = parts_of(config, rows := rows_of(config, "train"))
    assert len(set(rows.strings("key"))) == len(rows) == 40
    assert Counter(own.strings("method")) == {"real": 10, "Deepfakes": 10}
    assert Counter(new.strings("method")) == {"real": 10, "Face2Face": 10}


def test_the_rows_of_both_sides_are_found_in_their_own_shards(stores: Path) -> None:
    rows = rows_of(mixed(stores, "own", "new"), "train")
    for store, file, key in zip(rows.column("store"), rows.column("shard_file"), rows.strings("key"), strict=True):
        assert rows.stores[store].name == key.split("/")[0]
        assert rows.shard_files[file].parent == rows.stores[store].root


def test_validation_is_on_the_whole_of_both(stores: Path) -> None:
    rows = rows_of(mixed(stores, "own", "new"), "val")
    assert Counter(rows.column("store").tolist()) == {0: 12, 1: 12}


def test_without_a_mix_the_rows_are_those_of_the_data(stores: Path) -> None:
    config = replace(mixed(stores, "own", "new"), mix=(), samples=None)
    assert rows_of(config, "train").table.equals(select([f"{stores}/own"], split="train").table)


def test_attribution_names_methods_that_the_data_have_none_of(stores: Path) -> None:
    with pytest.raises(DfxError, match=r"FaceSwap of .*new.* is no class of the model .*take a detection run"):
        rows_of(mixed(stores, "own", "new", task="attribution"), "train")
