"""From a dataset's tree to a finished store: plan, write the shards that are missing, merge their records.

A run that is killed is taken up where it stood by the same call; a finished store is recognised and left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dataengine import layouts, place, splits
from dataengine.differing import difference
from dataengine.errors import StoreError
from dataengine.executors import HERE, Executor, OnShard, OnSlow
from dataengine.faces.crops import prepare
from dataengine.holding import held
from dataengine.layouts.scan import ScanOptions, left_aside
from dataengine.merge import listed, merge, shard_clips, tables_of
from dataengine.methods import named_by_user
from dataengine.place import Place, place_of
from dataengine.plan import ConvertSettings, Plan, ShardPlan, make_plan, settings_json
from dataengine.publish import publish, working_folder
from dataengine.records import Clip, ClipReport
from dataengine.shard import Job, finished, stands
from dataengine.store import DATASET_FILE, Store, open_store
from dataengine.whole import PARTS, write_whole

_PLAN = f"{PARTS}/plan.json"


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


@dataclass(frozen=True, slots=True)
class Start:
    """What `on_start` hears: the plan, and which of its shards have no tar yet."""

    root: Place
    out: Place
    plan: Plan
    pending: tuple[ShardPlan, ...]


OnClip = Callable[[ClipDone], None]
OnStart = Callable[[Start], None]


def convert(
    layout: str,
    root: str | Path | Place,
    out: str | Path | Place,
    settings: ConvertSettings,
    options: ScanOptions,
    *,
    executor: Executor = HERE,
    max_failures: int | None = None,
    on_start: OnStart | None = None,
    on_clip: OnClip | None = None,
    on_shard: OnShard | None = None,
    on_slow: OnSlow | None = None,
) -> Converted:
    """Convert the dataset at `root`, read as `layout`, into the store folder `out`; either may be a URL.

    The store's tars and index.parquet are the same bytes whatever the executor and however often it is interrupted. A
    clip that cannot be read is recorded as failed and the rest goes on, until `max_failures` clips have failed (None:
    a tenth of them, at least 20).

    `on_start` is called before anything is written, `on_clip` after each clip, `on_shard` after each shard that is
    written; each may raise to stop. `on_slow` hears, in a thread of its own, of clips that are worked on for long.

    Raises LayoutError for a tree that is not the layout's; StoreError where `out` holds something else, another
    run is writing it, the disk is full, `out` cannot be written, processes die of a clip, too many clips failed, or
    none could be read.
    """
    root, out = _placed(root), _placed(out)
    tree, scan = layouts.scan_with(layout, root, options)
    clips = splits.derive(scan.clips, settings.seed)
    notes = [*scan.notes, *left_aside(tree, scan), *prepare(settings.extract, clips)]
    plan = make_plan(clips, settings)
    if on_start is not None:
        there = place.sizes(out) if out.is_dir() else {}
        missing = () if DATASET_FILE in there else tuple(shard for shard in plan.shards if shard.shard not in there)
        on_start(Start(root, out, plan, missing))
    _refuse_other_files(out)
    with held(out) as check:
        read_as = {"layout": layout, "options": _options_json(layout, root, options)}
        about = {**read_as, "settings": settings_json(settings), "clips": len(clips), "plan": plan.digest}
        store = _recognise(out, about)
        sizes = place.sizes(out) if out.is_dir() else {}
        recorded: dict[str, dict[str, Any]] = {}
        if store is not None:
            _check_sources(plan, root, store)
            recorded = {row["shard"]: row for row in store.shards().to_pylist()}  # none where all of its clips failed
            pending = [
                shard
                for shard in plan.shards
                if shard.shard in recorded and not stands(shard.shard, recorded[shard.shard]["bytes"], sizes)
            ]
        else:
            can_be_kept = listed(out, plan.shards, lambda shard: _can_be_kept(shard, out, sizes))
            pending = [shard for shard, kept in zip(plan.shards, can_be_kept, strict=True) if not kept]
        watch = _Watch(plan.num_clips, max_failures, on_clip, check)
        if pending:
            as_it_was = {shard.shard: recorded[shard.shard]["sha256"] for shard in pending} if store else {}
            executor.run(pending, Job(root.resolve(), out.resolve(), settings, as_it_was), watch, on_shard, on_slow)
        if store is None:
            found: dict[str, Any] = {"split_origin": scan.split_origin, "notes": notes}
            found |= {"missing": list(scan.missing), "unexpected": list(scan.unexpected)}
            merge(plan, out, {**about, **found, **_about_clips(clips)})
    return Converted(open_store(str(out)), len(pending), len(plan.shards) - len(pending))


def _placed(text: str | Path | Place) -> Place:
    if isinstance(text, Path) and re.match(r"[A-Za-z][\w+.-]+:/", str(text)):
        raise StoreError(f"{text} is a URL that has lost a slash as a Path; give it as text")
    return place_of(text) if isinstance(text, str | Path) else text


def _options_json(layout: str, root: Place, options: ScanOptions) -> dict[str, Any]:
    """What finds the same clips again, wherever the tree lies by then."""
    name = options.name or (root.resolve().name if layouts.LAYOUTS[layout].named else "")
    return {**asdict(options), "splits": str(options.splits) if options.splits else None, "name": name}


def _refuse_other_files(out: Place) -> None:
    if out.is_dir() and not ((out / DATASET_FILE).exists() or (out / PARTS).is_dir()) and _holds_files(out):
        raise StoreError(f"{out} is not empty and holds no store; choose another --out, or empty it")


def _holds_files(out: Place) -> bool:
    return any(out.iterdir()) if isinstance(out, Path) else True  # what a server calls a folder holds something


def _recognise(out: Place, about: dict[str, Any]) -> Store | None:
    """This very store where `out` holds it, finished; an unfinished one, or none, is prepared to be written."""
    for name in (DATASET_FILE, _PLAN):
        try:
            there = json.loads((out / name).read_bytes())
        except FileNotFoundError:
            continue
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise StoreError(f"{out / name} is damaged; choose another --out, or delete {out}") from None
        if not isinstance(there, dict):
            raise StoreError(f"{out / name} is damaged; choose another --out, or delete {out}")
        if there.get("plan") != about["plan"]:
            raise StoreError(
                f"{out} holds another store ({difference(there, about)}); choose another --out, or delete it"
            )
        if name == DATASET_FILE and _tables_stand(out, there):
            return Store(out, there)
    with working_folder(out) as folder:
        write_whole(folder / _PLAN, json.dumps(about).encode())
        publish(folder, out, [_PLAN])
    (out / DATASET_FILE).unlink(missing_ok=True)  # without its tables, a store is made again
    return None


def _tables_stand(out: Place, meta: dict[str, Any]) -> bool:
    """Whether the tables are those that dataset.json records: here to the byte, behind a URL in their length."""
    tables = meta.get("tables")
    if isinstance(out, Path):
        return bool(tables == tables_of(out))
    sizes = out.sizes()
    return isinstance(tables, dict) and all(sizes.get(name) == table["bytes"] for name, table in tables.items())


def _can_be_kept(shard: ShardPlan, out: Place, sizes: dict[str, int]) -> bool:
    """Whether a shard stands that this run would write again: a clip that failed, or has changed, is tried anew."""
    if finished(shard.shard, out, sizes) is None:
        return False
    try:
        clips = {row["clip"]: row for row in shard_clips(shard.shard, out).to_pylist()}
    except FileNotFoundError:
        return False
    return all(
        clips[clip.clip]["status"] == "ok" and clips[clip.clip]["source_bytes"] == clip.source_bytes
        for clip in shard.clips
    )


def _check_sources(plan: Plan, root: Place, store: Store) -> None:
    clips = store.clips()
    recorded = dict(zip(clips["clip"].to_pylist(), clips["source_bytes"].to_pylist(), strict=True))
    for clip in (clip for shard in plan.shards for clip in shard.clips):
        now = clip.source_bytes
        if recorded[clip.clip] != now:
            raise StoreError(
                f"{root / clip.first} has changed since {store.root} was made of it ({now:,} bytes, then "
                f"{recorded[clip.clip]:,}); choose another --out, or delete the store and convert again"
            )


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

    def __init__(self, total: int, max_failures: int | None, on_clip: OnClip | None, check: Callable[[], None]) -> None:
        self._total = total
        self._limit = max(20, total // 10) if max_failures is None else max_failures
        self._on_clip = on_clip
        self._check = check
        self._failures: list[str] = []

    def __call__(self, clip: Clip, report: ClipReport) -> None:
        self._check()
        if self._on_clip:
            self._on_clip(ClipDone(clip, report, self._total))
        if report.status == "failed":
            self._failures.append(f"{clip.first}: {report.reason}")
            if len(self._failures) > self._limit:
                raise StoreError(
                    f"{len(self._failures)} clips failed, more than --max-failures {self._limit} "
                    f"(first: {self._failures[0]}); mend them, or raise --max-failures and run again"
                )
