"""Which clip goes into which shard."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.plan import ConvertSettings, make_plan
from dataengine.records import Clip
from dataengine.settings import ExtractSettings


def clips_of(count: int, split: str = "train") -> list[Clip]:
    return [
        Clip(
            clip=f"x/{split}/{n:04d}",
            paths=("x.mp4",),
            media="video",
            dataset="x",
            split=split,
            raw_method="a",
            method="a" if n % 2 else "real",
            category="",
            quality="",
            target_id=f"x/{n}",
            source_id="",
        )
        for n in range(count)
    ]


@given(count=st.integers(1, 300), per_shard=st.integers(1, 4000), seed=st.integers(0, 99), data=st.data())
def test_each_clip_is_in_one_shard_of_its_split(count: int, per_shard: int, seed: int, data: st.DataObject) -> None:
    clips = clips_of(count) + clips_of(data.draw(st.integers(0, 20)), "val")
    plan = make_plan(clips, ConvertSettings(shard_samples=per_shard, seed=seed))
    placed = [clip for shard in plan.shards for clip in shard.clips]
    assert sorted(clip.clip for clip in placed) == sorted(clip.clip for clip in clips)
    assert all(clip.split == shard.shard.split("-")[0] for shard in plan.shards for clip in shard.clips)
    assert all(shard.clips for shard in plan.shards)


@given(seed=st.integers(0, 99))
def test_the_order_of_the_clips_does_not_change_the_plan(seed: int) -> None:
    clips = clips_of(50)
    settings = ConvertSettings(seed=seed, shard_samples=200)
    assert make_plan(clips, settings) == make_plan(clips[::-1], settings)


def test_shards_hold_about_as_many_samples_as_asked_for() -> None:
    plan = make_plan(clips_of(1000), ConvertSettings(shard_samples=640))
    assert {len(shard.clips) for shard in plan.shards} == {20}


def test_every_shard_is_mixed_by_class() -> None:
    plan = make_plan(clips_of(1000), ConvertSettings(shard_samples=2048))
    for shard in plan.shards:
        reals = sum(clip.label == 0 for clip in shard.clips)
        assert 0.25 < reals / len(shard.clips) < 0.75


@pytest.mark.parametrize(
    "other",
    [ConvertSettings(seed=1), ConvertSettings(extract=ExtractSettings(margin=1.4)), ConvertSettings(shard_samples=7)],
)
def test_other_settings_have_another_digest(other: ConvertSettings) -> None:
    assert make_plan(clips_of(9), other).digest != make_plan(clips_of(9), ConvertSettings()).digest


def test_a_clip_of_another_label_has_another_digest() -> None:
    clips = clips_of(9)
    relabelled = [replace(clips[0], method="b"), *clips[1:]]
    assert make_plan(clips, ConvertSettings()).digest != make_plan(relabelled, ConvertSettings()).digest


def test_the_plan_never_changes() -> None:
    plan = make_plan(clips_of(8), ConvertSettings(shard_samples=128))
    assert [[clip.clip[-4:] for clip in shard.clips] for shard in plan.shards] == GOLDEN


GOLDEN = [["0004", "0006", "0000", "0002"], ["0007", "0001", "0003", "0005"]]
