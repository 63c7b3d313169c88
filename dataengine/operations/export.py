"""A store back as folders of images and one CSV, for programs that read nothing else."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock, Timeout

from dataengine.errors import StoreError
from dataengine.operations.samples import Samples, by_tar, index_of
from dataengine.operations.target import refuse_url
from dataengine.records import INDEX_SCHEMA
from dataengine.store import Store
from dataengine.whole import disk_full_is_clear

INDEX_CSV, RECORD = "index.csv", "export.json"
MANIFEST = ("path", "label", "method", "split", "target_id", "source_id", "quality", "clip", "dataset")
"""The CSV's first columns, which `dfx shard manifest` reads. The index's others follow, less those of the tars."""

_IN_TARS = ("shard", "offset", "size")
COLUMNS = (*MANIFEST, *(name for name in INDEX_SCHEMA.names if name not in (*MANIFEST, *_IN_TARS)))


@dataclass(frozen=True, slots=True)
class Exported:
    """The finished folder."""

    folder: Path
    images: int
    written: bool
    """False where it stood already."""


def export_store(store: Store, out: Path, *, on_shard: Callable[[str, int], None] | None = None) -> Exported:
    """Write `{split}/{method}/{clip}/{frame}.{ext}`, each image the bytes that are stored, and index.csv into `out`.

    `out` appears when it is whole: until then the work is in `{out}.part`, which the next call begins anew. Raises
    StoreError where `out` holds anything but this export, a sample is damaged, a name would lie outside `out` or two
    would be the same, or the disk is full.
    """
    refuse_url(out)
    num_images = store.index().num_rows
    record = {"fingerprint": store.fingerprint, "images": num_images, "columns": list(COLUMNS)}
    if _is_there(out, record):
        return Exported(out, num_images, written=False)
    part = out.with_name(f"{out.name}.part")
    with disk_full_is_clear(out), _alone(part):
        if part.exists() and not (part / RECORD).exists() and any(part.iterdir()):
            raise StoreError(f"{part} is in the way and no export of dfx; move it, or choose another --out")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        (part / RECORD).write_text(json.dumps(record, indent=2) + "\n")
        with (part / INDEX_CSV).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(_written(store, part, on_shard))
        if out.exists():
            out.rmdir()  # it is empty
        part.rename(out)
    return Exported(out, num_images, written=True)


def image_path(row: Mapping[str, Any]) -> str:
    """Where an image lies below the folder, with forward slashes; what no file system takes in a name is escaped.

    Raises StoreError for a clip whose name climbs out of the folder, which no layout gives.
    """
    clip = str(row["clip"]).split("/")
    frame = str(row["key"]).rpartition("/")[2]
    if not {"", ".", ".."}.isdisjoint([*clip, str(row["split"]), str(row["method"]), frame]):
        raise StoreError(f"the clip '{row['clip']}' would lie outside the folder; this store was not made by dfx")
    method = quote(str(row["method"]), safe=" +=,@()").replace(".", "%2E")
    parts = [str(row["split"]), method, *(quote(part, safe=" +=,@%") for part in clip)]
    return "/".join([*parts, f"{quote(frame)}.{quote(str(row['ext']), safe='')}"])


def _written(store: Store, part: Path, on_shard: Callable[[str, int], None] | None) -> Iterator[dict[str, Any]]:
    """The CSV's rows, each once its image is written."""
    source, num_shards = Samples((store,)), store.shards().num_rows
    for shard, rows in by_tar(index_of(store)):
        for row, sample in zip(rows.to_pylist(), source.of(rows), strict=True):
            path = image_path(row)
            file = part / path
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                with file.open("xb") as stream:
                    stream.write(sample.image)
            except FileExistsError:
                raise StoreError(f"two samples of {store.root} would be the file {path}; verify the store") from None
            yield {**row, "path": path}
        if on_shard:
            on_shard(shard, num_shards)


@contextmanager
def _alone(part: Path) -> Iterator[None]:
    part.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{part}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StoreError(f"another run is writing {part}; wait for it, or choose another --out") from None
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _is_there(out: Path, record: Mapping[str, Any]) -> bool:
    try:
        if (out / INDEX_CSV).is_file() and json.loads((out / RECORD).read_bytes()) == record:
            return True
        free = not any(out.iterdir())
    except NotADirectoryError:
        raise StoreError(f"{out} is a file; choose another --out") from None
    except (ValueError, RecursionError):
        free = False
    except FileNotFoundError:
        free = not out.exists() or not any(out.iterdir())
    if not free:
        raise StoreError(f"{out} is not empty and not this export; choose another --out, or empty it")
    return False
