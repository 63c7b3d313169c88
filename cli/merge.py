"""`dfx merge`: several stores as one."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.console import JsonOption
from cli.rewriting import OutOption, open_whole, run_rewrite


def merge(
    stores: Annotated[
        list[str], typer.Argument(help="Two or more stores' folders or URLs.", metavar="STORE STORE ...")
    ],
    out: OutOption,
    json_file: JsonOption = None,
) -> None:
    """Write the samples of several stores into one. A clip that two of them hold is refused by name.

    Killed or interrupted, the same command goes on where it stood.
    """
    from dataengine.operations.merge import merge as merge_stores

    opened = [open_whole(store) for store in stores]
    run_rewrite("Merging", lambda on_shard: merge_stores(opened, out, on_shard=on_shard), json_file)
