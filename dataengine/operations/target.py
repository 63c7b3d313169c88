"""The folder that a store is written into: held alone, never another store's, and a store only once it is whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from dataengine.errors import StoreError
from dataengine.holding import held
from dataengine.leaks import format_leaks
from dataengine.records import FORMAT
from dataengine.store import CLIPS_FILE, DATASET_FILE, INDEX_FILE, SHARDS_FILE, file_sha256, fingerprint, shards_digest
from dataengine.version import VERSION
from dataengine.whole import PARTS, disk_full_is_clear, write_table, write_whole

_PLAN_FILE = "plan.json"


def refuse_url(out: str | Path) -> None:
    """Raise StoreError where `out` is a URL: a store is written here and uploaded whole."""
    if re.match(r"[A-Za-z][\w+.-]+:/", str(out)):
        raise StoreError(f"{out} is a URL; write into a folder of this machine and upload it whole")


@contextmanager
def target(out: Path, plan: str) -> Iterator[bool]:
    """Hold `out` alone, to write the store that `plan` (a digest) stands for; whether it stands there finished.

    What an interrupted run of the same plan has finished is kept in `out`. Raises StoreError where `out` holds anything
    else, or another run is writing it.
    """
    refuse_url(out)
    _check_holds(out, plan)
    with held(out):
        _check_holds(out, plan)
        with disk_full_is_clear(out):
            write_whole(out / PARTS / _PLAN_FILE, json.dumps({"plan": plan}).encode())
        yield (out / DATASET_FILE).exists()


def _check_holds(out: Path, plan: str) -> None:
    """Raise StoreError where `out` holds anything but nothing, or this store, finished or not."""
    found = False
    for path in (out / DATASET_FILE, out / PARTS / _PLAN_FILE):
        try:
            there = json.loads(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (ValueError, RecursionError):
            raise StoreError(f"{path} is damaged; choose another --out, or delete {out}") from None
        if not isinstance(there, dict) or there.get("plan") != plan:
            raise StoreError(f"{out} holds another store; choose another --out, or delete it")
        found = True
    left = {path.name for path in out.iterdir()} - {PARTS} if out.is_dir() else set()
    if left and not found:
        raise StoreError(f"{out} is not empty and holds no store; choose another --out, or empty it")


def seal(out: Path, index: pa.Table, clips: pa.Table, shards: pa.Table, about: Mapping[str, Any]) -> None:
    """Write the tables and then dataset.json, which makes of the folder a store."""
    with disk_full_is_clear(out):
        for name, table in ((INDEX_FILE, index), (CLIPS_FILE, clips), (SHARDS_FILE, shards)):
            write_table(out / name, table)
        files = [out / name for name in (INDEX_FILE, CLIPS_FILE, SHARDS_FILE)]
        meta = {
            "format": FORMAT,
            "dfx": VERSION,
            **about,
            "leaks": format_leaks(index),
            "fingerprint": fingerprint(index),
            "shards_digest": shards_digest(shards),
            "tables": {file.name: {"bytes": file.stat().st_size, "sha256": file_sha256(file)} for file in files},
        }
        write_whole(out / DATASET_FILE, (json.dumps(meta, indent=2) + "\n").encode())
