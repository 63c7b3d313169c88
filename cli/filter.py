"""`dfx filter`: the samples of a store that an expression holds for."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.console import JsonOption
from cli.rewriting import OutOption, open_whole, run_rewrite


def filter_(
    store: Annotated[str, typer.Argument(help="A store's folder or URL.")],
    where: Annotated[
        str,
        typer.Option(
            help="Over the index's columns: \"width >= 128 and method in ('real', 'Face2Face')\".",
            metavar="EXPRESSION",
        ),
    ],
    out: OutOption,
    json_file: JsonOption = None,
) -> None:
    """Write the samples for which an expression holds into a store of their own.

    It knows columns, texts and numbers; == != < <= > >=, in, not in, is None; and, or, not, brackets. Killed or
    interrupted, the same command goes on where it stood.
    """
    from dataengine.operations.filter import filter_store

    opened = open_whole(store)
    run_rewrite("Filtering", lambda on_shard: filter_store(opened, out, where, on_shard=on_shard), json_file)
