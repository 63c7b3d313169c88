from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.errors import DfxError
from trainers.metrics import CLIPS, clip_table


def frames(clips: list[str], fakes: list[float | None], **more: object) -> pa.Table:
    """Frames of three classes; p(fake) is split unevenly over the two fakes. None: unreadable."""
    n = len(clips)
    p = [(None, None, None) if f is None else (1 - f, 0.75 * f, 0.25 * f) for f in fakes]
    columns: dict[str, object] = {
        "key": [f"k{i}" for i in range(n)],
        "clip": clips,
        "group": clips,
        "label": pa.array([1] * n, pa.int8()),
        "method": ["a"] * n,
        "valid": [f is not None for f in fakes],
    }
    for i, name in enumerate(("real", "a", "b")):
        columns[f"p_{name}"] = pa.array([row[i] for row in p], pa.float32())
    return pa.table(columns | more)


def test_the_frame_with_the_largest_p_fake_speaks_for_its_clip() -> None:
    table = frames(["x", "y", "x", "x", "y"], [0.2, 0.5, 0.9, None, 0.1])
    clips = clip_table(table, "max")
    assert clips["clip"].to_pylist() == ["x", "y"]
    assert clips["p_real"].to_pylist() == pytest.approx([0.1, 0.5])
    assert clips["p_a"].to_pylist() == pytest.approx([0.675, 0.375])
    assert (clips["frames"].to_pylist(), clips["unreadable"].to_pylist()) == ([2, 2], [1, 0])


def test_a_trimmed_mean_leaves_out_a_tenth_at_each_end() -> None:
    values = [0.0, 1.0, *[0.5] * 8, 0.9, None, *[0.4] * 9]
    clips = clip_table(frames(["x"] * 12 + ["y"] * 9, values), "trimmed")
    # x has eleven readable frames: the lowest, 0, and the highest, 1, are left out. y has nine: all are kept.
    assert clips["p_real"].to_pylist() == pytest.approx([1 - (8 * 0.5 + 0.9) / 9, 0.6])


@given(
    fakes=st.lists(st.tuples(st.sampled_from("xyz"), st.none() | st.floats(0, 1, width=32)), min_size=1, max_size=60),
    how=st.sampled_from(CLIPS),
)
@settings(max_examples=80, deadline=None)
def test_a_clips_probabilities_sum_to_one_and_lie_among_its_frames(
    fakes: list[tuple[str, float | None]], how: str
) -> None:
    clips = clip_table(frames([clip for clip, _ in fakes], [p for _, p in fakes]), how)
    there = {clip: [p for c, p in fakes if c == clip and p is not None] for clip, _ in fakes}
    assert clips["clip"].to_pylist() == [clip for clip, values in there.items() if values]
    for row in clips.to_pylist():
        assert row["p_real"] + row["p_a"] + row["p_b"] == pytest.approx(1, abs=1e-5)
        assert min(there[row["clip"]]) - 1e-6 <= 1 - row["p_real"] <= max(there[row["clip"]]) + 1e-6
        if how == "max":
            assert 1 - row["p_real"] == pytest.approx(max(there[row["clip"]]), abs=1e-6)


def test_other_numbers_of_frames_go_with_the_probabilities() -> None:
    table = frames(["x", "x", "x"], [0.2, 0.8, None], energy=pa.array([-1.0, -3.0, None], pa.float32()))
    assert [clip_table(table, how)["energy"].to_pylist() for how in ("mean", "max")] == [[-2.0], [-3.0]]


def test_an_unknown_way_is_named_with_those_there_are() -> None:
    with pytest.raises(DfxError, match=r"'median'.*mean"):
        clip_table(frames(["x"], [0.5]), "median")


def test_the_choice_of_frames_does_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(0)
    table = frames([f"c{i % 5}" for i in range(200)], rng.random(200).tolist())
    mixed = table.take(pa.array(rng.permutation(200)))
    for how in CLIPS:
        one, other = (clip_table(t, how).sort_by("clip")["p_real"].to_pylist() for t in (table, mixed))
        assert one == pytest.approx(other)
