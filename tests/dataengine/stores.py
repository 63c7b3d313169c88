"""Finished stores that are changed, or put together, for a test."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dataengine.records import CLIPS_SCHEMA, INDEX_SCHEMA
from dataengine.store import CLIPS_FILE, DATASET_FILE, INDEX_FILE, Store, fingerprint

Change = Callable[[pa.Table], pa.Table]


def rewrite(
    store: Store, root: Path, *, index: Change | None = None, clips: Change | None = None, **meta: object
) -> Path:
    """A copy of a store with tables that were changed, and with other entries of dataset.json."""
    shutil.copytree(store.root, root)
    about = json.loads((root / DATASET_FILE).read_text()) | meta
    for name, change, schema in ((INDEX_FILE, index, INDEX_SCHEMA), (CLIPS_FILE, clips, CLIPS_SCHEMA)):
        if change:
            table = change(pq.read_table(root / name)).cast(schema)
            pq.write_table(table, root / name)
            data = (root / name).read_bytes()
            about["tables"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            if name == INDEX_FILE:
                about["fingerprint"] = fingerprint(table)
    (root / DATASET_FILE).write_text(json.dumps(about))
    return root
