from __future__ import annotations

import matplotlib
import pytest

from dataengine.drawing import STYLE, fitting


def test_a_long_text_is_made_as_small_as_it_has_to_be_and_a_short_one_is_left() -> None:
    with matplotlib.rc_context(STYLE):
        assert fitting("a run", size=12, inches=6) == 12
        once, twice = (fitting("a selection of $1 " * n, size=12, inches=3) for n in (10, 20))
    assert twice < once < 12
    assert twice == pytest.approx(once / 2, rel=0.02)
