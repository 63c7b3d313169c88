"""What is told and tried again when processes die."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import StoreError
from dataengine.executors.attempts import DEATHS, Attempts
from dataengine.plan import ConvertSettings, ShardPlan, make_plan
from dataengine.records import ClipReport
from tests.dataengine.test_plan import clips_of

REPORT = ClipReport(status="ok")


def shards(count: int) -> tuple[ShardPlan, ...]:
    """Of four clips each."""
    return make_plan(clips_of(4 * count), ConvertSettings(shard_samples=128)).shards


@given(data=st.data())
def test_each_clip_is_told_once_and_each_shard_finished_whichever_processes_die(data: st.DataObject) -> None:
    plans = shards(3)
    told: list[str] = []
    attempts = Attempts(plans, lambda clip, _: told.append(clip.clip))
    deaths = dict.fromkeys((plan.shard for plan in plans), DEATHS - 1)
    finished = []
    while (plan := attempts.next()) is not None:
        dies = deaths[plan.shard] > 0 and data.draw(st.booleans())
        for _ in range(data.draw(st.integers(0, 4)) if dies else 4):
            attempts.heard(plan, REPORT)
        if dies:
            deaths[plan.shard] -= 1
            attempts.died(plan, "killed")
        else:
            finished.append(plan)
    assert sorted(told) == sorted(clip.clip for plan in plans for clip in plan.clips)
    assert sorted(plan.shard for plan in finished) == sorted(plan.shard for plan in plans)


@pytest.mark.parametrize(("done", "where"), [(0, "at work on x.mp4"), (4, "writing its tar")])
def test_a_shard_that_ends_its_process_each_time_is_given_up_and_says_where(done: int, where: str) -> None:
    attempts = Attempts(shards(1), lambda *_: None)
    for last in range(DEATHS):
        plan = attempts.next()
        assert plan is not None
        for _ in range(done):
            attempts.heard(plan, REPORT)
        if last < DEATHS - 1:
            attempts.died(plan, "killed")
    with pytest.raises(StoreError, match=rf"3 worker processes in turn died of train-000000\.tar.*{where} \(killed\)"):
        attempts.died(plan, "killed")
