"""Real ranks under torchrun (gloo): what the properties of the order say, seen from their processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from torch import distributed

from dataengine.selection import Rows, select
from dataengine.store import Store
from tests.dataengine.rank_program import BATCH, TAKEN, open_loader, rows_of, trained

pytestmark = pytest.mark.skipif(not distributed.is_available(), reason="this torch has no distributed")

ROOT = Path(__file__).parents[2]
ON_LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}


def torchrun(world_size: int, out: Path, *arguments: Path) -> list[dict[str, Any]]:
    """What the ranks of the program said."""
    out.mkdir()
    launcher = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={world_size}"]
    rendezvous = ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1"]  # any free port
    program = ["-m", "tests.dataengine.rank_program", str(arguments[0]), str(out), *map(str, arguments[1:])]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    surroundings = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **ON_LOOPBACK}
    done = subprocess.run(
        [*launcher, *rendezvous, *program], cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads((out / f"rank-{rank}.json").read_text()) for rank in range(world_size)]


@pytest.fixture(scope="module")
def rows(whole_store: Store) -> Rows:
    return select([str(whole_store.root)])


@pytest.fixture(scope="module")
def two(whole_store: Store, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two ranks said."""
    return torchrun(2, tmp_path_factory.mktemp("ranks") / "two", whole_store.root)


def together(ranks: Sequence[dict[str, Any]], what: str) -> list[list[int]]:
    """The ranks' parts of each global batch, one after the other; they have as many."""
    return [list(chain.from_iterable(parts)) for parts in zip(*(rank[what] for rank in ranks), strict=True)]


def test_two_ranks_evaluate_each_sample_once(rows: Rows, two: list[dict[str, Any]]) -> None:
    seen = [row for batch in together(two, "evaluated") for row in batch if row >= 0]
    assert sorted(seen) == list(range(len(rows)))


def test_a_loader_made_before_the_process_group_has_its_own_part_too(two: list[dict[str, Any]]) -> None:
    assert [rank["before_init"] for rank in two] == [rank["evaluated"] for rank in two]


def test_two_ranks_train_on_the_global_order_of_one(rows: Rows, two: list[dict[str, Any]]) -> None:
    with open_loader(rows) as loader:
        assert together(two, "epoch") == rows_of(loader)


def test_two_ranks_have_as_many_batches_of_one_size(rows: Rows, two: list[dict[str, Any]]) -> None:
    shapes = [[len(batch) for batch in rank["epoch"]] for rank in two]
    assert shapes == [[BATCH // 2] * (len(rows) // BATCH)] * 2


def test_two_ranks_save_one_state(two: list[dict[str, Any]]) -> None:
    assert two[0]["state"] == two[1]["state"]
    assert (two[0]["state"]["epoch"], two[0]["state"]["position"]) == (1, TAKEN * BATCH)


def second_epoch(rows: Rows) -> list[list[int]]:
    with open_loader(rows) as loader:
        loader.set_epoch(1)
        return rows_of(loader)


def test_what_two_ranks_saved_in_mid_epoch_goes_on_with_the_next_sample_on_one(
    rows: Rows, two: list[dict[str, Any]]
) -> None:
    with open_loader(rows) as loader:
        loader.load_state_dict(two[0]["state"])
        rest = rows_of(loader)
    assert together(two, "begun") + rest == second_epoch(rows)


def test_what_two_ranks_saved_in_mid_epoch_goes_on_with_the_next_sample_on_four(
    rows: Rows, two: list[dict[str, Any]], whole_store: Store, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    state.write_text(json.dumps(two[0]["state"]))
    four = torchrun(4, tmp_path / "four", whole_store.root, state)
    assert together(two, "begun") + together(four, "resumed") == second_epoch(rows)[: 2 * TAKEN]


def test_a_batch_that_two_ranks_cannot_share_is_refused_naming_the_nearest(two: list[dict[str, Any]]) -> None:
    for rank in two:
        assert f"a batch of {BATCH + 1} cannot be divided among 2 ranks; take a batch of {BATCH}" in rank["refused"]


def test_a_model_trained_on_two_ranks_is_the_one_trained_on_one(rows: Rows, two: list[dict[str, Any]]) -> None:
    assert two[0]["weights"] == two[1]["weights"]
    assert two[0]["weights"] == pytest.approx(trained(rows), abs=1e-4)
