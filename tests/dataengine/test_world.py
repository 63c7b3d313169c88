"""Rank and world size."""

from __future__ import annotations

import pytest

from dataengine.errors import DfxError
from dataengine.world import rank_of


def test_a_process_of_its_own_is_the_only_rank() -> None:
    assert rank_of(None, None) == (0, 1)


def test_what_is_given_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert rank_of(0, 2) == (0, 2)
    assert rank_of(None, None) == (3, 4)


def test_a_rank_outside_the_world_is_refused() -> None:
    with pytest.raises(DfxError, match="rank 2 is not within a world of 2"):
        rank_of(2, 2)


@pytest.mark.parametrize(("rank", "world_size"), [(None, "2"), ("1", None), ("a", "2"), ("", "2")])
def test_half_an_environment_is_refused_rather_than_guessed(
    rank: str | None, world_size: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("RANK", rank), ("WORLD_SIZE", world_size)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(DfxError, match="set both as whole numbers"):
        rank_of(None, None)
