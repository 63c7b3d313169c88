"""How machines are divided among trials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import DfxError
from tune_spaces.resources import Node, Share, divide

nodes = st.lists(st.builds(Node, cpus=st.integers(1, 128), gpus=st.integers(0, 8)), min_size=1, max_size=4)


@given(nodes=nodes, gpus=st.none() | st.integers(0, 32), part=st.sampled_from([0.1, 0.25, 0.3, 0.5, 1.0]))
def test_trials_at_once_never_ask_for_more_than_there_is(nodes: list[Node], gpus: int | None, part: float) -> None:
    there = sum(node.gpus for node in nodes)
    if gpus is not None and gpus > there:
        return
    share = divide(nodes, gpus=gpus, gpus_per_trial=part)
    assert share.at_once >= 1
    assert share.cpus >= 1
    assert share.gpus * share.at_once <= (there if gpus is None else gpus) + 1e-9
    if share.gpus == 0:
        assert share.at_once <= sum(node.cpus // share.cpus for node in nodes)


@pytest.mark.parametrize(
    ("node", "gpus", "part", "expected"),
    [
        (Node(cpus=64, gpus=8), None, 1.0, Share(at_once=8, cpus=8, gpus=1.0)),
        (Node(cpus=64, gpus=8), 8, 0.5, Share(at_once=16, cpus=4, gpus=0.5)),
        (Node(cpus=64, gpus=8), 2, 1.0, Share(at_once=2, cpus=32, gpus=1.0)),
        (Node(cpus=64, gpus=8), 0, 1.0, Share(at_once=16, cpus=4, gpus=0.0)),
        (Node(cpus=2, gpus=0), None, 1.0, Share(at_once=2, cpus=1, gpus=0.0)),
        (Node(cpus=1, gpus=0), 0, 1.0, Share(at_once=1, cpus=1, gpus=0.0)),
        (Node(cpus=2, gpus=1), None, 0.25, Share(at_once=2, cpus=1, gpus=0.25)),
    ],
)
def test_a_machine_is_divided_evenly(node: Node, gpus: int | None, part: float, expected: Share) -> None:
    assert divide([node], gpus=gpus, gpus_per_trial=part) == expected


def test_asking_for_more_gpus_than_there_are_names_the_ways_out() -> None:
    with pytest.raises(DfxError, match=r"--gpus 8 .*no GPU.*--gpus 0.*--address"):
        divide([Node(cpus=8, gpus=0)], gpus=8, gpus_per_trial=1.0)
    with pytest.raises(DfxError, match=r"1 GPU here.*--gpus 1.*--gpus 0.*--address"):
        divide([Node(cpus=8, gpus=1)], gpus=2, gpus_per_trial=1.0)


@pytest.mark.parametrize("part", [0.0, -1.0, 1.5, 2.0])
def test_a_trial_has_a_part_of_one_gpu(part: float) -> None:
    with pytest.raises(DfxError, match="gpus-per-trial"):
        divide([Node(cpus=8, gpus=4)], gpus=None, gpus_per_trial=part)
