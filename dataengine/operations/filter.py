"""The samples of a store that an expression holds for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc

from dataengine.errors import StoreError
from dataengine.operations.reshard import kept_facts
from dataengine.operations.rewrite import Rewrite, Rewritten, rewrite
from dataengine.operations.samples import index_of
from dataengine.operations.where import parse_where
from dataengine.plan import ConvertSettings
from dataengine.store import Store


def filter_store(
    store: Store, out: Path, where: str, *, on_shard: Callable[[str, int], None] | None = None
) -> Rewritten:
    """Write the samples for which `where` holds (`parse_where`) into `out`, in tars of about as many as before.

    clips.parquet keeps the clips that still have samples; a note counts the others. Raises DfxError for a bad
    expression, and like `rewrite`.
    """
    condition = parse_where(where)
    rows = index_of(store).filter(condition)
    if rows.num_rows == 0:
        raise StoreError(f"{store.root} holds no sample for which {where}; nothing is stored")
    clips = store.clips()
    kept = clips.filter(pc.is_in(clips["clip"], value_set=pc.unique(rows["clip"])))
    gone = clips.num_rows - kept.num_rows
    failed = int(pc.sum(pc.equal(clips["status"], "failed")).as_py() or 0)
    counts = f"{rows.num_rows:,} of {store.index().num_rows:,} images"
    left_out = f"{gone:,} of {clips.num_rows:,} clips have none left, {failed:,} of them had none before (failed)"
    shard_samples = store.meta["settings"].get("shard_samples", ConvertSettings().shard_samples)
    job = Rewrite(
        stores=(store,),
        rows=rows,
        clips=kept,
        shard_samples=shard_samples,
        made_by={"operation": "filter", "where": where},
        about={**kept_facts(store), "notes": [*store.meta["notes"], f"filtered by `{where}`: {counts}; {left_out}"]},
    )
    return rewrite(job, out, on_shard)
