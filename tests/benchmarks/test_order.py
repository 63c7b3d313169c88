"""The measurement of orders, at its smallest."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import mixing, order


@pytest.mark.parametrize("policy", order.POLICIES)
def test_every_policy_is_measured_with_the_bytes_that_it_keeps(policy: str) -> None:
    result = order.measure(policy, 5, 1)
    assert result["rows"] == 10**5
    assert result["bytes"] <= 8 * result["rows"]
    assert policy in ("sequential", "shuffled", "blocked") or result["bytes"] >= 4 * result["rows"] or "mixed" in policy


def test_a_shuffle_mixes_as_a_random_draw_and_a_sorted_store_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(mixing, "EPOCHS", 2)
    results = mixing.measure()
    found = {(result["layout"], result["reader"]): result["mixing"] for result in results}
    for layout in mixing.LAYOUTS:
        assert found[layout, "shuffled"] == pytest.approx(1, abs=0.1)
        assert found[layout, "balanced"] < 0.5
    assert found["sorted", "sequential"] > found["sorted", "shuffle buffer of 1,024"] > found["sorted", "shuffled"]
    assert found["dfx", "sequential"] < found["sorted", "blocked, window 16"]
    mixing.draw_figure(results, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000
