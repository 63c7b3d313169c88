"""The same samples in other shards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dataengine.operations.rewrite import Rewrite, Rewritten, rewrite
from dataengine.operations.samples import index_of
from dataengine.store import Store


def reshard(
    store: Store, out: Path, shard_samples: int, *, on_shard: Callable[[str, int], None] | None = None
) -> Rewritten:
    """Write the samples of `store` into `out` in tars of about `shard_samples`; the fingerprint stays.

    A clip stays in one tar, and what was mixed stays mixed. Raises like `rewrite`.
    """
    job = Rewrite(
        stores=(store,),
        rows=index_of(store),
        clips=store.clips(),
        shard_samples=shard_samples,
        made_by={"operation": "reshard", "shard_samples": shard_samples},
        about={**kept_facts(store), "settings": {**store.meta["settings"], "shard_samples": shard_samples}},
    )
    done = rewrite(job, out, on_shard)
    assert done.store.fingerprint == store.fingerprint
    return done


def kept_facts(store: Store) -> dict[str, object]:
    """What dataset.json says of where the samples come from."""
    return {name: store.meta[name] for name in KEPT if name in store.meta}


KEPT = ("layout", "settings", "options", "split_origin", "taxonomy", "notes", "missing", "unexpected")
"""Facts of dataset.json that stay true of a part of a store, and of the same samples in other shards."""
