"""The page about datasets says what the code says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from dataengine.layouts import FORMS, LAYOUTS, scan, scan_tree
from dataengine.layouts.rows import Row
from dataengine.layouts.scan import ScanOptions
from dataengine.source import list_source

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/datasets.md").read_text()


def block(language: str) -> str:
    """The first code block of a language."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def test_the_table_is_what_the_layouts_say() -> None:
    written = runpy.run_path(str(ROOT / "docs/datasets.py"))
    assert f"{written['BEGIN']}{written['table']()}{written['END']}" in PAGE, "run: python docs/datasets.py"


def test_every_layout_has_a_row_and_the_test_that_it_names() -> None:
    written = runpy.run_path(str(ROOT / "docs/datasets.py"))
    for layout in (*LAYOUTS.values(), *FORMS.values()):
        assert f"| `{layout.name}" in PAGE
        assert (ROOT / written["test_of"](layout)).is_file()


def test_the_columns_on_the_page_are_those_of_a_manifest() -> None:
    table = PAGE[PAGE.index("| column |") : PAGE.index("Other columns are left out")].strip()
    named = [name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|", 2)[1])]
    assert sorted(named) == sorted(Row._fields)


def test_the_manifest_on_the_page_is_read_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "my-data.csv").write_text(block("csv"))
    paths = {line.partition(",")[0] for line in block("csv").splitlines()[1:]} - {"frames/dan-as-cleo"}
    for path in (*paths, "frames/dan-as-cleo/0.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    found = scan("manifest", tmp_path, ScanOptions(listing=str(tmp_path / "my-data.csv")))
    assert {clip.clip: (clip.label, clip.split, len(clip.paths)) for clip in found.clips} == {
        "my-data/videos/ann-1": (0, "train", 1),
        "my-data/videos/ann-as-bob": (1, "train", 1),
        "my-data/cleo-talks-fake": (1, "test", 1),
        "my-data/cleo-talks-rest": (0, "test", 1),
        "my-data/frames/dan-as-cleo": (1, "test", 1),
        "my-data/dan-faces": (0, "test", 2),
    }
    assert (found.notes, found.missing) == ((), ())


def test_the_layout_on_the_page_reads_its_tree(tmp_path: Path) -> None:
    for path in ("real/ann.mp4", "swapped/ann_bob.mp4"):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).touch()
    (tmp_path / "example.py").write_text(block("python"))
    layout = runpy.run_path(str(tmp_path / "example.py"))["LAYOUT"]
    clips = scan_tree(layout, list_source(tmp_path), ScanOptions()).clips
    assert [(clip.label, clip.target_id, clip.source_id) for clip in clips] == [
        (0, "example/ann", ""),
        (1, "example/ann", "example/bob"),
    ]
