"""Which executor a user's options mean."""

from __future__ import annotations

import os

import pytest

from dataengine.errors import DfxError
from dataengine.executors import HERE, Processes, Ray, executor_of


def test_a_process_for_each_core_unless_told_otherwise() -> None:
    assert executor_of() == Processes(os.cpu_count() or 1)
    assert executor_of(workers=3) == Processes(3)
    assert executor_of(workers=0) == HERE


def test_an_address_is_a_clusters_and_no_worker_at_all_is_none_of_it() -> None:
    assert executor_of(address="head:6379", workers=64) == Ray("head:6379", 64)
    with pytest.raises(DfxError, match="--workers 0 works in this process, not on the cluster auto"):
        executor_of(address="auto", workers=0)
