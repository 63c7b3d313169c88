"""The stores that a finished run is worth being evaluated on."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from dataengine.errors import StoreError
from trainers.config import TrainConfig

MOST_TARGETS = 3
"""Stores that the next command names; the user knows more."""


def targets(config: TrainConfig) -> list[str]:
    """What the run is worth being evaluated on: the stores with a test split, those trained on and then those that lie
    beside them. Of the same datasets, cut in several ways, one store beside is enough; at most MOST_TARGETS."""
    from pyarrow.compute import field

    from dataengine.store import DATASET_FILE, open_store, parse_ref

    sources = [parse_ref(text).path for text in config.sources]
    beside = sorted(str(file.parent) for path in sources for file in Path(path).parent.glob(f"*/{DATASET_FILE}"))
    found: dict[str, str] = {}
    datasets: set[frozenset[str]] = set()
    for path in (*sources, *beside):
        with suppress(StoreError):
            store = open_store(path)
            clips = store.clips(["dataset", "split", "samples"])
            held = frozenset(clips["dataset"].unique().to_pylist())
            tested = bool(clips.filter((field("split") == "test") & (field("samples") > 0)).num_rows)
            if tested and (path in sources or held not in datasets):
                found.setdefault(str(store.root.resolve()), path)
            datasets.add(held)
    return list(found.values())[:MOST_TARGETS]
