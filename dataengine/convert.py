"""From a dataset's tree to a finished store: plan, write the shards that are missing, merge their records.

A run that is killed is taken up where it stood by the same call; a finished store is recognised and left alone.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from dataengine import layouts, splits
from dataengine.errors import StoreError
from dataengine.layouts.scan import ScanOptions
from dataengine.leaks import format_leaks
from dataengine.methods import named_by_user
from dataengine.place import Place, place_of
from dataengine.plan import ConvertSettings, Plan, ShardPlan, make_plan, settings_json
from dataengine.records import CLIPS_SCHEMA, FORMAT, INDEX_SCHEMA, SHARDS_SCHEMA, Clip, ClipReport
from dataengine.shard import finished
from dataengine.store import (
    CLIPS_FILE,
    DATASET_FILE,
    INDEX_FILE,
    SHARDS_FILE,
    Store,
    file_sha256,
    fingerprint,
    open_store,
    shards_digest,
)
from dataengine.tar import index_path
from dataengine.version import VERSION
from dataengine.whole import PARTS, disk_full_is_clear, write_table, write_whole
from dataengine.workers import write_shards


@dataclass(frozen=True, slots=True)
class ClipDone:
    """What `on_clip` hears: one more clip is done, of `total` in this store."""

    clip: Clip
    report: ClipReport
    total: int


@dataclass(frozen=True, slots=True)
class Converted:
    """The finished store, and whether this call had anything to do."""

    store: Store
    written: int
    """Shards that this call wrote."""
    kept: int
    """Shards that stood already."""


OnClip = Callable[[ClipDone], None]


def convert(
    layout: str,
    root: str | Place,
    out: Path,
    settings: ConvertSettings,
    options: ScanOptions,
    *,
    workers: int,
    max_failures: int | None = None,
    on_clip: OnClip | None = None,
) -> Converted:
    """Convert the dataset at `root`, read as `layout`, into the store folder `out`.

    The store's tars and index.parquet are the same bytes for any number of workers (0: in this process) and any
    number of interruptions. A clip that cannot be read is recorded as failed and the rest goes on, until
    `max_failures` clips have failed (None: a tenth of them, at least 20).

    Raises LayoutError for a tree that is not the layout's; StoreError where `out` holds something else, another
    run is writing it, the disk is full, too many clips failed, or none could be read.
    """
    if re.match(r"[A-Za-z][\w+.-]+:/", str(out)):
        url = re.sub(":/+", "://", str(out), count=1)  # as a path it has lost a slash
        raise StoreError(f"{url} is a URL; convert into a folder of this machine and upload it whole")
    root = place_of(root) if isinstance(root, str) else root
    scan = layouts.scan(layout, root, options)
    clips = splits.derive(scan.clips, settings.seed)
    plan = make_plan(clips, settings)
    with _locked(out):
        about = {"layout": layout, "settings": settings_json(settings), "clips": len(clips), "plan": plan.digest}
        is_finished = _recognise(out, about)
        if is_finished:
            _check_sources(plan, root, out)
            pending = [shard for shard in plan.shards if not _stands(shard.shard, out)]
        else:
            pending = [shard for shard in plan.shards if not _can_be_kept(shard, out)]
        watch = _Watch(plan.num_clips, max_failures, on_clip)
        if pending:
            write_shards(pending, root.resolve(), out, settings, workers, watch)
        if is_finished:
            _same_bytes_again(pending, out)
        else:
            found = {"notes": list(scan.notes), "missing": list(scan.missing), "unexpected": list(scan.unexpected)}
            _merge(plan, out, {**about, "split_origin": scan.split_origin, **found, **_about_clips(clips)})
    return Converted(open_store(out), len(pending), len(plan.shards) - len(pending))


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    if out.is_dir() and any(out.iterdir()) and not ((out / DATASET_FILE).exists() or (out / PARTS).is_dir()):
        raise StoreError(f"{out} is not empty and holds no store; choose another --out, or empty it")
    with disk_full_is_clear(out):
        try:
            (out / PARTS).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise StoreError(f"{out} is a file; choose another --out") from None
        except FileNotFoundError as error:
            raise StoreError(f"{out} cannot be made ({error.strerror}); choose another --out") from None
    lock = FileLock(out / PARTS / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StoreError(f"another run is writing {out}; wait for it, or choose another --out") from None
    try:
        yield
    finally:
        lock.release()
        if (out / DATASET_FILE).exists():
            shutil.rmtree(out / PARTS, ignore_errors=True)


def _recognise(out: Path, about: dict[str, Any]) -> bool:
    """Whether `out` holds this very store, finished; an unfinished one, or none, is prepared to be written."""
    planned = out / PARTS / "plan.json"
    for path in (out / DATASET_FILE, planned):
        try:
            there = json.loads(path.read_text())
        except FileNotFoundError:
            continue
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise StoreError(f"{path} is damaged; choose another --out, or delete {out}") from None
        if not isinstance(there, dict):
            raise StoreError(f"{path} is damaged; choose another --out, or delete {out}")
        if there.get("plan") != about["plan"]:
            raise StoreError(
                f"{out} holds another store ({_difference(there, about)}); choose another --out, or delete it"
            )
        if path != planned and there.get("tables") == _tables(out):
            return True
    (out / DATASET_FILE).unlink(missing_ok=True)  # without its tables, a store is made again
    for stale in (out / PARTS).glob("tmp-*"):
        stale.unlink(missing_ok=True)
    with disk_full_is_clear(out):
        write_whole(planned, json.dumps(about).encode())
    return False


def _tables(out: Path) -> dict[str, dict[str, Any]] | None:
    """Bytes and sha256 of the tables, by name; None where one is missing."""
    tables = [out / name for name in (INDEX_FILE, CLIPS_FILE, SHARDS_FILE)]
    if not all(table.is_file() for table in tables):
        return None
    return {table.name: {"bytes": table.stat().st_size, "sha256": file_sha256(table)} for table in tables}


def _difference(there: dict[str, Any], here: dict[str, Any]) -> str:
    if there.get("layout") != here["layout"]:
        return f"layout {there.get('layout')}, not {here['layout']}"
    old, new = _flat(there.get("settings", {})), _flat(here["settings"])
    changed = [f"{name} {old.get(name)}, not {value}" for name, value in new.items() if old.get(name) != value]
    if changed:
        return "; ".join(changed)
    if there.get("clips") != here["clips"]:
        return f"made from {there.get('clips')} clips, where the tree now has {here['clips']}"
    return "made from other clips, splits or names than the tree now has"


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    return {**settings, **settings.get("extract", {}), "extract": None}


def _can_be_kept(shard: ShardPlan, out: Path) -> bool:
    """Whether a shard stands that this run would write again: a clip that failed, or has changed, is tried anew."""
    if finished(shard.shard, out) is None:
        return False
    clips = {row["clip"]: row for row in pq.read_table(out / PARTS / f"{shard.shard}.clips.parquet").to_pylist()}
    return all(
        clips[clip.clip]["status"] == "ok" and clips[clip.clip]["source_bytes"] == clip.source_bytes
        for clip in shard.clips
    )


def _check_sources(plan: Plan, root: Place, out: Path) -> None:
    rows = pq.read_table(out / CLIPS_FILE, columns=["clip", "source_bytes"]).to_pylist()
    recorded = {row["clip"]: row["source_bytes"] for row in rows}
    for clip in (clip for shard in plan.shards for clip in shard.clips):
        now = clip.source_bytes
        if recorded[clip.clip] != now:
            raise StoreError(
                f"{root / clip.first} has changed since {out} was made of it ({now:,} bytes, then "
                f"{recorded[clip.clip]:,}); choose another --out, or delete the store and convert again"
            )


def _stands(shard: str, out: Path) -> bool:
    recorded = {row["shard"]: row["bytes"] for row in pq.read_table(out / SHARDS_FILE).to_pylist()}
    if shard not in recorded:
        return True  # all of its clips failed
    tar = out / shard
    return tar.exists() and tar.stat().st_size == recorded[shard] and index_path(tar).exists()


def _same_bytes_again(written: list[ShardPlan], out: Path) -> None:
    recorded = {row["shard"]: row["sha256"] for row in pq.read_table(out / SHARDS_FILE).to_pylist()}
    for plan in written:
        if file_sha256(out / plan.shard) != recorded[plan.shard]:
            (out / plan.shard).unlink()
            raise StoreError(
                f"{plan.shard} could not be written anew as it was: the source clips or the decoder have changed; "
                f"delete {out} and convert the dataset again"
            )


def _merge(plan: Plan, out: Path, about: dict[str, Any]) -> None:
    records = [record for record in (finished(shard.shard, out) for shard in plan.shards) if record]
    index = _gather(plan, out, "index", INDEX_SCHEMA).sort_by([("shard", "ascending"), ("offset", "ascending")])
    clips = _gather(plan, out, "clips", CLIPS_SCHEMA).sort_by("clip")
    if index.num_rows == 0:
        reasons = sorted({f"{row['path']}: {row['reason']}" for row in clips.to_pylist()})
        raise StoreError(f"none of {clips.num_rows} clips could be read; nothing is stored (first: {reasons[0]})")
    kept = sorted((record for record in records if record.samples), key=lambda record: record.shard)
    shards = pa.Table.from_pylist([asdict(record) for record in kept], schema=SHARDS_SCHEMA)
    with disk_full_is_clear(out):
        write_table(out / INDEX_FILE, index)
        write_table(out / CLIPS_FILE, clips)
        write_table(out / SHARDS_FILE, shards)
        meta = {
            "format": FORMAT,
            "dfx": VERSION,
            **about,
            "leaks": format_leaks(index),
            "fingerprint": fingerprint(index),
            "shards_digest": shards_digest(shards),
            "tables": _tables(out),
        }
        write_whole(out / DATASET_FILE, (json.dumps(meta, indent=2) + "\n").encode())


def _gather(plan: Plan, out: Path, kind: str, schema: pa.Schema) -> pa.Table:
    parts = [pq.read_table(out / PARTS / f"{shard.shard}.{kind}.parquet") for shard in plan.shards]
    return pa.concat_tables([schema.empty_table(), *parts])


def _about_clips(clips: list[Clip]) -> dict[str, Any]:
    used = {(clip.dataset, clip.raw_method, clip.method) for clip in clips}
    taxonomy = []
    for dataset, raw, name in sorted(used):
        method = named_by_user(name)
        entry = {"dataset": dataset, "raw_method": raw, "method": name}
        taxonomy.append({**entry, "category": method.category, "evidence": method.evidence})
    return {"taxonomy": taxonomy, "shared_identities": splits.shared_identities(clips)}


class _Watch:
    """Counts the clips as they are done, and says when to stop."""

    def __init__(self, total: int, max_failures: int | None, on_clip: OnClip | None) -> None:
        self._total = total
        self._limit = max(20, total // 10) if max_failures is None else max_failures
        self._on_clip = on_clip
        self._failures: list[str] = []

    def __call__(self, clip: Clip, report: ClipReport) -> None:
        if self._on_clip:
            self._on_clip(ClipDone(clip, report, self._total))
        if report.status == "failed":
            self._failures.append(f"{clip.first}: {report.reason}")
            if len(self._failures) > self._limit:
                raise StoreError(
                    f"{len(self._failures)} clips failed, more than --max-failures {self._limit} "
                    f"(first: {self._failures[0]}); mend them, or raise --max-failures and run again"
                )
