"""`dfx layouts`: which datasets dfx reads, and what to know before asking for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.console import JsonOption, console, write_json

if TYPE_CHECKING:
    from dataengine.layouts.scan import Layout

_SHORT = ("expects", "size", "licence", "access")


def layouts(
    name: Annotated[
        str | None, typer.Argument(help="One of them: also how its facts are known, and its counts.")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """List the layouts: what the root holds, how large it is, under which condition, and where access is asked for."""
    from dataengine.layouts import FORMS, LAYOUTS, layout_named

    if name is not None:
        result = describe(layout_named(name))
        _show_whole(result)
        write_json(json_file, result)
        return
    results = [describe(layout) for layout in LAYOUTS.values()]
    results += [{**describe(layout), "name": f"{of} --from {form}"} for (of, form), layout in FORMS.items()]
    for result in results:
        console.print(Text(result["name"], "bold"), result["title"], sep=": ")
        _show([(key, result[key]) for key in _SHORT if result[key]])
    console.print("one of them in full: dfx layouts NAME")
    write_json(json_file, results)


def describe(layout: Layout) -> dict[str, Any]:
    """What `--json` holds of a layout."""
    facts = ("name", "title", "expects", "size", "licence", "access", "certainty", "reals", "listing")
    return {
        **{key: getattr(layout, key) for key in facts},
        "faces": "none" if layout.cropped else "track",
        "forms": list(layout.forms),
        "named_by_user": layout.named,
        "published": [{"where": dict(count.where), "clips": count.clips} for count in layout.published],
    }


def _show_whole(result: dict[str, Any]) -> None:
    console.print(Text(result["name"], "bold"), result["title"], sep=": ")
    rows = [(key, result[key]) for key in (*_SHORT, "certainty") if result[key]]
    if result["reals"]:
        rows.append(("reals", f"fakes alone; its reals are those of {result['reals']}"))
    if result["listing"]:
        rows.append(("list", f"dfx shard {result['name']} {'FILE' if result['listing'] == 'must' else '[FILE]'}"))
    if result["forms"]:
        rows.append(("forms", f"--from {' | '.join(result['forms'])}"))
    rows.append(("faces", f"{result['faces']}, unless --faces says otherwise"))
    if result["named_by_user"]:
        rows.append(("name", "yours: --name"))
    for count in result["published"]:
        what = ", ".join(f"{column} {value}" for column, value in count["where"].items()) or "in all"
        rows.append(("published", f"{count['clips']:,} clips: {what}"))
    _show(rows)


def _show(rows: list[tuple[str, str]]) -> None:
    """Keys, and beside them texts that are broken within their own column, however narrow the terminal."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for key, text in rows:
        grid.add_row(f"  {key}", Text(text))
    console.print(grid)
