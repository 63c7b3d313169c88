"""`dfx layouts`: which datasets dfx reads, and what to know before asking for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.console import JsonOption, console, write_json
from dataengine.errors import DfxError

if TYPE_CHECKING:
    from dataengine.layouts.scan import Layout

_SHORT = ("reals", "expects", "size", "licence", "access")


def layouts(
    name: Annotated[
        str | None, typer.Argument(help="One of them: also how its facts are known, and its counts.")
    ] = None,
    form: Annotated[str, typer.Option("--from", help="With NAME: of which form, where it has several.")] = "",
    json_file: JsonOption = None,
) -> None:
    """List the layouts: what the root holds, how large it is, under which condition, and where access is asked for."""
    from dataengine.layouts import FORMS, LAYOUTS, layout_named

    if name is not None:
        result = describe(layout_named(name, form), form)
        _show_whole(result)
        write_json(json_file, result)
        return
    if form:
        raise DfxError(f"--from {form} is a form of a layout; name the layout too: dfx layouts NAME --from {form}")
    results = []
    for layout in LAYOUTS.values():
        results.append(describe(layout))
        results += [describe(other, known) for (of, known), other in FORMS.items() if of == layout.name]
    for result in results:
        _show_title(result)
        _show(_rows(result))
    general = ", ".join(name for name, layout in LAYOUTS.items() if layout.named)
    console.print(f"published datasets first, then what reads files of your own ({general})")
    console.print("one of them in full: dfx layouts NAME")
    write_json(json_file, results)


def describe(layout: Layout, form: str = "") -> dict[str, Any]:
    """What `--json` holds of a layout; one that reads a `form` of another is named as that one's."""
    facts = ("name", "title", "expects", "size", "licence", "access", "certainty", "reals", "listing")
    return {
        **{key: getattr(layout, key) for key in facts},
        "name": f"{layout.name} --from {form}" if form else layout.name,
        "faces": "none" if layout.cropped else "track",
        "forms": list(layout.forms),
        "named_by_user": layout.named,
        "published": [{"where": dict(count.where), "clips": count.clips} for count in layout.published],
    }


def _show_whole(result: dict[str, Any]) -> None:
    from dataengine.layouts.scan import in_words

    _show_title(result)
    rows = [*_rows(result), *([("certainty", result["certainty"])] if result["certainty"] else [])]
    if result["listing"]:
        rows.append(("list", f"dfx shard {result['name']} {'FILE' if result['listing'] == 'must' else '[FILE]'}"))
    if result["forms"]:
        rows.append(("forms", f"--from {' | '.join(result['forms'])}"))
    rows.append(("faces", f"{result['faces']}, unless --faces says otherwise"))
    if result["named_by_user"]:
        rows.append(("name", "yours: --name"))
    for count in result["published"]:
        rows.append(("published", f"{count['clips']:,}: {in_words(count['where'])}"))
    _show(rows)


def _rows(result: dict[str, Any]) -> list[tuple[str, str]]:
    shown = {**result, "reals": f"fakes alone; reals: {result['reals']}" if result["reals"] else ""}
    return [(key, shown[key]) for key in _SHORT if shown[key]]


def _show_title(result: dict[str, Any]) -> None:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(overflow="fold")
    grid.add_column()
    grid.add_row(Text(f"{result['name']}:", "bold"), Text(result["title"]))
    console.print(grid)


def _show(rows: list[tuple[str, str]]) -> None:
    """Keys, and beside them texts that are broken within their own column, however narrow the terminal."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for key, text in rows:
        grid.add_row(f"  {key}", Text(text))
    console.print(grid)
