"""What the layouts say of their datasets."""

from __future__ import annotations

import pytest

from dataengine import methods
from dataengine.layouts import LAYOUTS
from dataengine.records import Clip


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_published_counts_name_columns_and_methods_that_clips_have(name: str) -> None:
    raws = {raw for _, raw in methods.known()}
    for published in LAYOUTS[name].published:
        assert all(hasattr(Clip, column) for column in published.where)
        assert published.where.get("raw_method", "real") in raws
        assert published.clips > 0


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_the_store_that_holds_a_datasets_reals_is_a_known_layouts(name: str) -> None:
    assert LAYOUTS[name].reals in (*LAYOUTS, "")
