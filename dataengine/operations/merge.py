"""Several stores as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dataengine.errors import StoreError
from dataengine.operations.rewrite import Rewrite, Rewritten, rewrite
from dataengine.operations.samples import index_of
from dataengine.order import counter_hash, text_hash
from dataengine.plan import ConvertSettings
from dataengine.store import Store


def merge(stores: Sequence[Store], out: Path, *, on_shard: Callable[[str, int], None] | None = None) -> Rewritten:
    """Write the samples of all stores into `out`: the same store whatever the order in which they are given.

    Tars of the stores take turns at random, so that a sequential read is mixed. Failed clips are kept. Raises
    StoreError for fewer than two stores, for a clip that two of them hold, and for a dataset's method that two of them
    take for different ones; and like `rewrite`.
    """
    if len(stores) < 2:
        raise StoreError("one store alone cannot be merged; name at least two")
    ordered = tuple(sorted(stores, key=lambda store: (store.fingerprint, store.layout_digest)))
    clips = pa.concat_tables([store.clips() for store in ordered])
    _check_distinct(ordered)
    settings, differences = _settings(ordered)
    origins = [str(store.meta["split_origin"]) for store in ordered]
    named = [f"{store.name}: {origin}" for store, origin in zip(ordered, origins, strict=True)]
    job = Rewrite(
        stores=ordered,
        rows=_taking_turns(ordered),
        clips=clips,
        shard_samples=settings.get("shard_samples", ConvertSettings().shard_samples),
        made_by={"operation": "merge"},
        about={
            "layout": " + ".join(sorted({str(store.meta["layout"]) for store in ordered})),
            "settings": settings,
            "split_origin": origins[0] if len(set(origins)) == 1 else "; ".join(named),
            "taxonomy": _taxonomy(ordered),
            "notes": [*_notes(ordered), *differences],
            "missing": _joined(ordered, "missing"),
            "unexpected": _joined(ordered, "unexpected"),
        },
    )
    return rewrite(job, out, on_shard)


def _check_distinct(stores: Sequence[Store]) -> None:
    holder: dict[str, Store] = {}
    for store in stores:
        for clip in store.clips()["clip"].to_pylist():
            first = holder.setdefault(clip, store)
            if first is not store:
                raise StoreError(
                    f"{first.root} and {store.root} both hold the clip {clip}; leave one out, or take that clip out of "
                    f"one first (dfx filter ... --where \"clip != '{clip}'\")"
                )


def _taking_turns(stores: Sequence[Store]) -> pa.Table:
    """The rows of all stores, tar by tar, the tars in an order that is a function of the stores alone."""
    rows = pa.concat_tables([index_of(store, number) for number, store in enumerate(stores)]).combine_chunks()
    tars = [(n, store, row["shard"]) for n, store in enumerate(stores) for row in store.shards().to_pylist()]
    tars.sort(key=lambda tar: (int(counter_hash(0, text_hash(f"{tar[1].fingerprint}/{tar[2]}"))), tar[0], tar[2]))
    turn = {(n, shard): number for number, (n, _, shard) in enumerate(tars)}
    pairs = zip(rows["store"].to_pylist(), rows["shard"].to_pylist(), strict=True)
    order = np.argsort(np.fromiter((turn[pair] for pair in pairs), np.int64, rows.num_rows), kind="stable")
    return rows.take(pa.array(order))


def _settings(stores: Sequence[Store]) -> tuple[dict[str, Any], list[str]]:
    """The settings that all stores share, and a line on each that they do not.

    How images were cut stands there as a whole or not at all: in part it would be taken for the whole.
    """
    shared, notes = {}, []
    for name in ("extract", "seed", "shard_samples"):
        values = [store.meta["settings"].get(name) for store in stores]
        if all(value == values[0] for value in values) and values[0] is not None:
            shared[name] = values[0]
    cuts = [store.meta["settings"].get("extract") or {} for store in stores]
    for name in sorted({name for cut in cuts for name in cut}):
        if any(cut.get(name) != cuts[0].get(name) for cut in cuts):
            said = ", ".join(f"{cut.get(name)} ({store.name})" for cut, store in zip(cuts, stores, strict=True))
            notes.append(f"the merged stores differ in {name}: {said}")
    return shared, notes


def _notes(stores: Sequence[Store]) -> list[str]:
    """Each note once, under the names of the stores that have it: what it counts is counted in them, not in all."""
    holders: dict[str, list[str]] = {}
    for store in stores:
        for note in store.meta["notes"]:
            holders.setdefault(note, []).append(store.name)
    return [f"{', '.join(names)}: {note}" for note, names in holders.items()]


def _taxonomy(stores: Sequence[Store]) -> list[dict[str, str]]:
    merged: dict[tuple[str, str], tuple[dict[str, str], Store]] = {}
    for store in stores:
        for entry in store.meta.get("taxonomy", []):
            name = entry["dataset"], entry["raw_method"]
            first, holder = merged.setdefault(name, (entry, store))
            if first["method"] != entry["method"]:
                raise StoreError(
                    f"{holder.root} takes {'/'.join(name)} for {first['method']}, {store.root} for {entry['method']}; "
                    "convert one of them again with this version of dfx"
                )
    return [merged[name][0] for name in sorted(merged)]


def _joined(stores: Sequence[Store], name: str) -> list[Any]:
    return [value for store in stores for value in store.meta.get(name, [])]
