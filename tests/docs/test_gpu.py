"""The page about GPUs and the README name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.gpu.__main__ import SCRIPTS, WITHIN_S

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/gpu.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_benchmarks_that_exist(page: Path) -> None:
    text = page.read_text()
    for name in re.findall(r"python -m (benchmarks[\w.]*)", text):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), name
    for name in re.findall(r"benchmarks/[\w/.-]*\w\.(?:py|json|png|txt)", text):
        assert (ROOT / name).is_file() or name.startswith("benchmarks/results/gpu"), name  # those are to come


def test_the_table_has_a_row_for_each_script_in_the_order_they_run() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(SCRIPTS)


def test_the_pieces_are_all_scripts_in_their_order_in_nine_minutes_each_and_in_the_time_of_all() -> None:
    pieces = re.findall(r"--only (\S+) --within (\d+) ", PAGE)
    assert ",".join(names for names, _ in pieces).split(",") == list(SCRIPTS)
    assert max(int(within) for _, within in pieces) <= 540
    assert sum(int(within) for _, within in pieces) <= WITHIN_S


def test_nothing_is_claimed_to_be_measured_while_no_result_lies_there() -> None:
    measured = list((ROOT / "benchmarks/results").glob("gpu-*.json"))
    assert ("Nothing on this page has been measured yet" in PAGE) == (not measured)
    assert ("Nothing here has been measured on a GPU" in (ROOT / "README.md").read_text()) == (not measured)
