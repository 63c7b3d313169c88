"""What is damaged in a store, written anew to exactly the bytes that are recorded, or left as it is."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from dataengine import layouts, splits
from dataengine.errors import DfxError, StoreError
from dataengine.faces.pinned import Pinned
from dataengine.layouts.scan import ScanOptions
from dataengine.operations.remake import remake_idx, remake_index, remake_shards
from dataengine.operations.target import target
from dataengine.operations.verify import verify
from dataengine.place import Place, is_remote, place_of
from dataengine.plan import ConvertSettings, Plan, ShardPlan, make_plan
from dataengine.recorded import as_recorded
from dataengine.shard import Job, write_shard
from dataengine.store import CLIPS_FILE, DATASET_FILE, INDEX_FILE, SHARDS_FILE, Store, open_unchecked
from dataengine.whole import disk_full_is_clear


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What a repair did."""

    written: tuple[str, ...]
    """Files that are again what was recorded."""
    refused: tuple[tuple[str, str], ...]
    """(file, why) of those that were left as they are."""


def repair(
    path: str | Path,
    root: str | Place | None = None,
    *,
    splits_dir: Path | None = None,
    listing: str = "",
    weights: Pinned | None = None,
    boxes: Pinned | None = None,
    on_shard: Callable[[str, int], None] | None = None,
) -> Repaired:
    """Verify a local store in full and write what is damaged anew.

    Tars come from the sources below `root` (None: data/LAYOUT), read as dataset.json says; shards.parquet,
    index.parquet and DALI's indexes from the tars. A tar that would not be the recorded one to the byte is not put in
    its place. `splits_dir` and `listing` are where the official split files and the list of the dataset's files lie
    now, if they were given and have moved; `weights` and `boxes` the files that found the faces, where some did.
    `on_shard(name, total)` hears of each tar as it is verified. Raises StoreError where `path` is no store, or remote.
    """
    store = open_unchecked(path)
    if is_remote(store.root):
        raise StoreError(f"{store.root} is remote; repair a copy here and upload it again")
    out = Path(str(store.root))
    written: list[str] = []
    refused: list[tuple[str, str]] = []

    def attempt(name: str, work: Callable[[], None]) -> None:
        try:
            with disk_full_is_clear(out):
                work()
            written.append(name)
        except DfxError as error:
            refused.append((name, str(error)))

    with target(out, str(store.meta.get("plan"))):
        damaged = verify(store, on_shard=on_shard).damaged
        if SHARDS_FILE in damaged:
            attempt(SHARDS_FILE, partial(remake_shards, out))
            damaged = tuple(dict.fromkeys([*damaged, *verify(open_unchecked(out)).damaged]))
        if bad := [name for name in damaged if name.endswith(".tar")]:
            moved, pinned = {"splits": splits_dir, "listing": listing}, {"weights": weights, "boxes": boxes}
            sources = _Sources(open_unchecked(out), root, moved, pinned)
            for name in bad:
                attempt(name, partial(sources.rebuild, name, out))
        for name in damaged:
            tar = out / f"{Path(name).stem}.tar"
            if name.endswith(".idx") and tar.name not in bad:
                attempt(name, partial(remake_idx, tar))
        if INDEX_FILE in damaged and not refused:
            attempt(INDEX_FILE, partial(remake_index, out))
        elif INDEX_FILE in damaged:
            refused.append((INDEX_FILE, f"can be made again once {refused[0][0]} is whole"))
        if CLIPS_FILE in damaged:
            why = "holds what became of each source clip, failed ones too, which the tars do not"
            refused.append((CLIPS_FILE, f"{why}; take it from a copy, or delete {out} and convert the dataset again"))
    return Repaired(written=tuple(written), refused=tuple(refused))


class _Sources:
    """The dataset that a store was made from, found again when the first tar needs it."""

    def __init__(
        self, store: Store, root: str | Place | None, moved: Mapping[str, Any], pinned: Mapping[str, Pinned | None]
    ) -> None:
        self._store = store
        self._root = root
        self._moved = moved
        self._pinned = pinned
        self._found: tuple[Plan, Place, ConvertSettings] | DfxError | None = None

    def rebuild(self, name: str, out: Path) -> None:
        """Write a tar and DALI's index anew. Raises DfxError, and changes nothing, where they would be others."""
        if self._found is None:
            try:
                self._found = self._find()
            except DfxError as error:
                self._found = error  # for the other tars too: a large tree is listed once
        if isinstance(self._found, DfxError):
            raise self._found
        plan, root, settings = self._found
        shard = next((shard for shard in plan.shards if shard.shard == name), None)
        recorded = {row["shard"]: row["sha256"] for row in self._store.shards().to_pylist()}
        if shard is None:
            raise StoreError(f"{name} is in no plan of {root}; delete {out} and convert the dataset again")
        self._check_unchanged(shard, root)
        for _ in write_shard(shard, Job(root, out.resolve(), settings, {name: recorded[name]})):
            pass

    def _find(self) -> tuple[Plan, Place, ConvertSettings]:
        meta = self._store.meta
        if made_by := meta.get("made_by"):
            raise StoreError(f"it was made of other stores; delete the file and run: {_command(made_by, self._store)}")
        layout = str(meta["layout"])
        if self._root is None and not Path("data", layout).is_dir():
            raise StoreError(f"no folder data/{layout}; give the folder that the store was made from with --root")
        root = place_of(self._root or f"data/{layout}") if isinstance(self._root, str | None) else self._root
        settings, options = _settings(self._store, self._pinned), _options(self._store, self._moved)
        clips = splits.derive(layouts.scan(layout, root, options).clips, settings.seed)
        plan = make_plan(clips, settings)
        if plan.digest != meta["plan"]:
            raise StoreError(
                f"{root} is not as it was when the store was made of it ({len(clips):,} clips, then "
                f"{meta['clips']:,}, or others); give the folder it was made from with --root"
            )
        return plan, root.resolve(), settings

    def _check_unchanged(self, shard: ShardPlan, root: Place) -> None:
        try:
            clips = self._store.clips().to_pylist()
        except StoreError:
            return  # the sha256 decides
        then = {row["clip"]: row["source_bytes"] for row in clips if row["shard"] == shard.shard}
        for clip in shard.clips:
            if clip.clip in then and clip.source_bytes != then[clip.clip]:
                sizes = f"{clip.source_bytes:,} bytes, then {then[clip.clip]:,}"
                raise StoreError(
                    f"{root / clip.first} has changed ({sizes}); bring the old one back, or delete the store and "
                    "convert the dataset again"
                )


def _command(made_by: Mapping[str, Any], store: Store) -> str:
    """What made a store of others, to be run again where it was run."""
    options = [
        part
        for name, value in made_by.items()
        if name not in ("operation", "stores")
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]
    of = [str(each.get("path", each["name"])) for each in made_by["stores"]]
    return shlex.join(["dfx", made_by["operation"], *of, *options, "--out", str(store.root)])


def _settings(store: Store, pinned: Mapping[str, Pinned | None]) -> ConvertSettings:
    said = store.meta["settings"]
    try:
        return ConvertSettings(**{**said, "extract": as_recorded(said["extract"], **pinned)})
    except (KeyError, TypeError):
        raise StoreError(
            f"{store.root / DATASET_FILE} holds settings of another version of dfx; repair with that one"
        ) from None


def _options(store: Store, moved: Mapping[str, Any]) -> ScanOptions:
    said: dict[str, Any] = store.meta.get("options", {})
    if strange := sorted(said.keys() - {field.name for field in fields(ScanOptions)}):
        raise StoreError(f"{store.root} was read with the option '{strange[0]}', which this dfx has not; upgrade dfx")
    now = {**said, **{name: where for name, where in moved.items() if where}}
    return ScanOptions(**{**now, "splits": Path(now["splits"]) if now.get("splits") else None})
