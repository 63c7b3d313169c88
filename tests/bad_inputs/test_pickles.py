"""No file of a stranger is ever unpickled: a pickle runs what its author likes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[2]
UNPICKLES = re.compile(
    r"^\s*(import|from)\s+(pickle|cPickle|dill|joblib|shelve|marshal|cloudpickle)\b|allow_pickle\s*=\s*True|yaml\.(unsafe_)?load\(",
    re.MULTILINE,
)
LOADS = re.compile(r"torch\.load\((?P<arguments>[^\n]*)")


@pytest.mark.parametrize("package", ["dataengine", "trainers", "tune_spaces", "cli"])
def test_nothing_is_unpickled(package: str) -> None:
    for path in sorted((PACKAGES / package).rglob("*.py")):
        text = path.read_text()
        assert not UNPICKLES.search(text), f"{path}: {UNPICKLES.search(text)}"
        assert all("weights_only=True" in load["arguments"] for load in LOADS.finditer(text)), path
