"""Writes the table of docs/datasets.md from the layouts, so that it cannot drift: python docs/datasets.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from dataengine.layouts import FORMS, LAYOUTS
from dataengine.layouts.scan import Layout
from dataengine.sample import IMAGES_NAME, MINIATURES
from dataengine.sample.architectures import PICTURES
from dataengine.sample.generate import KINDS
from dataengine.sample.upsampling import ARCHITECTURES

PAGE = Path(__file__).with_name("datasets.md")
BEGIN, END = "<!-- written by docs/datasets.py -->\n", "<!-- end -->\n"
COLUMNS = ("layout", "the root holds", "size", "condition, access", "how its facts are known", "published", "miniature")


def table() -> str:
    """The table of all layouts, as Markdown."""
    rows = [_row(name, layout) for name, layout in LAYOUTS.items()]
    rows += [_row(f"{name} --from {form}", layout) for (name, form), layout in FORMS.items()]
    lines = [(*COLUMNS, "held by"), ("---",) * (len(COLUMNS) + 1), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def test_of(layout: Layout) -> str:
    """The tests that hold a layout, below the repository's root."""
    return f"tests/dataengine/layouts/test_{layout.scan.__module__.rpartition('.')[2]}.py"


def _row(name: str, layout: Layout) -> tuple[str, ...]:
    reals = f"; fakes alone, reals of `{layout.reals}`" if layout.reals else ""
    clips = ", ".join(f"{count.clips:,} {_kind(count.where)}" for count in layout.published)
    return (
        f"`{name}`: {layout.title}",
        layout.expects.replace("<", "&lt;") + reals,
        layout.size or "–",
        "; ".join(filter(None, (layout.licence, layout.access))) or "–",
        layout.certainty,
        clips or "–",
        _miniature(name),
        f"[{Path(test_of(layout)).name}](../{test_of(layout)})",
    )


def _kind(where: Mapping[str, str]) -> str:
    words = (("real", "fake")[int(value)] if column == "label" else value for column, value in where.items())
    return " ".join(words) or "in all"


def _miniature(name: str) -> str:
    if name == IMAGES_NAME:
        return f"{PICTURES:,} real, {PICTURES * len(ARCHITECTURES):,} fake pictures"
    if name not in MINIATURES:
        return "none: small trees in the test"
    items = MINIATURES[name].plan(16, 48, 0, MINIATURES[name].quality, False).items
    fakes = sum(bool(item.method) for item in items)
    forms = ", ".join(f"{count:,} {KINDS[form]}" for form, count in Counter(item.form for item in items).items())
    return f"{len(items) - fakes:,} real, {fakes:,} fake: {forms}"


if __name__ == "__main__":
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.partition(END)[2])
