"""The measurement of scoring, at its smallest."""

from __future__ import annotations

from benchmarks import scoring


def test_a_table_has_the_rows_groups_and_different_scores_that_it_is_said_to_have() -> None:
    table = scoring.made(3200, 50)
    assert (table.num_rows, len(set(table["clip"].to_pylist()))) == (3200, 100)
    assert len(set(table["group"].to_pylist())) <= 50
    assert len(set(table["p_real"].to_pylist())) > 3100
    found = scoring.measure(3200, 50, 10, 1)
    assert found["score_cpu_s"] > 0
    assert found["peak_bytes"] > 0
