"""`dfx reshard`: the same samples in other shards."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.console import JsonOption
from cli.rewriting import OutOption, open_whole, run_rewrite


def reshard(
    store: Annotated[str, typer.Argument(help="A store's folder or URL.")],
    out: OutOption,
    shard_samples: Annotated[int, typer.Option(help="About so many images a tar; a clip is never divided.", min=1)],
    json_file: JsonOption = None,
) -> None:
    """Write the same samples into larger or smaller tars: the fingerprint stays.

    Killed or interrupted, the same command goes on where it stood.
    """
    from dataengine.operations.reshard import reshard as reshard_store

    opened = open_whole(store)
    run_rewrite("Resharding", lambda on_shard: reshard_store(opened, out, shard_samples, on_shard=on_shard), json_file)
