"""The task that writes one shard: idempotent, and whole or not at all.

The tar, DALI's index and the shard's records are finished in a working folder. Then they take their places in the store
one by one, uploaded where it lies behind a URL; the last, `.parts/{shard}.done.json`, says that the shard is finished.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import xxhash

from dataengine.errors import StoreError
from dataengine.extract import extract
from dataengine.order import counter_hash, text_hash
from dataengine.place import Place
from dataengine.plan import ConvertSettings, ShardPlan
from dataengine.publish import publish, working_folder
from dataengine.records import CLIPS_SCHEMA, INDEX_SCHEMA, Clip, ClipReport, Sample, sample_key
from dataengine.store import file_sha256
from dataengine.tar import TarSample, index_path, write_tar
from dataengine.whole import PARTS, write_table, write_whole

_SPOOL_BYTES = 256 << 20  # of one shard's images held in memory before they go to a temporary file


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """A finished shard, as SHARDS_SCHEMA has it; a shard all of whose clips failed has no samples and no file."""

    shard: str
    samples: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Job:
    """What all shards of a conversion have in common: small, so that it can go to other machines with each of them."""

    root: Place
    """The dataset's folder."""
    out: Place
    """The store's."""
    settings: ConvertSettings
    as_it_was: Mapping[str, str] = field(default_factory=dict)
    """sha256 of the tars that a finished store must get back: other bytes do not take their place."""


def write_shard(plan: ShardPlan, job: Job) -> Generator[ClipReport, None, ShardRecord]:
    """Convert the clips of one shard into the store; yields each one's report, in their order, as it is done.

    Run again, it writes the same bytes. Nothing half-written is left under a final name, and no record, where it is
    closed or raises: StoreError where the disk is full, a remote store cannot be written, or a tar that has to be as it
    was would be another.
    """
    settings = job.settings
    with (
        working_folder(job.out) as folder,
        tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES, dir=str(folder / PARTS)) as spool,
    ):
        entries, clip_rows = [], []
        for clip in plan.clips:
            samples, report = extract(clip, job.root, settings.extract)
            for sample in samples:
                entries.append(_Entry(clip, sample, spool.tell()))
                spool.write(sample.data)
                entries[-1] = entries[-1].without_data()
            clip_rows.append(_clip_row(clip, report, plan.shard, len(samples)))
            yield report
        entries.sort(key=lambda entry: (int(counter_hash(settings.seed, text_hash(entry.key))), entry.key))
        tar = folder / plan.shard
        index, clips, done = (
            f"{PARTS}/{plan.shard}.{kind}" for kind in ("index.parquet", "clips.parquet", "done.json")
        )
        index_rows = _write_tar(plan.shard, entries, spool, folder) if entries else []
        record = (
            ShardRecord(plan.shard, len(entries), tar.stat().st_size, file_sha256(tar))
            if entries
            else ShardRecord(plan.shard, 0, 0, "")
        )
        if record.sha256 != job.as_it_was.get(plan.shard, record.sha256):
            raise StoreError(
                f"{job.root / plan.clips[0].first} or another of its {len(plan.clips)} clips, or the decoder, has "
                f"changed, and {plan.shard} would not be what it was; delete {job.out} and convert the dataset again"
            )
        write_table(folder / index, pa.Table.from_pylist(index_rows, schema=INDEX_SCHEMA))
        write_table(folder / clips, pa.Table.from_pylist(clip_rows, schema=CLIPS_SCHEMA))
        write_whole(folder / done, json.dumps(asdict(record)).encode())
        (job.out / done).unlink(missing_ok=True)  # a run before may have left one, of clips that have changed since
        # The tar after its index: a finished store's shard counts as mended once its tar is there in full length.
        publish(folder, job.out, [*([index_path(tar).name, tar.name] if entries else []), index, clips, done])
    return record


def finished(shard: str, out: Place, sizes: Mapping[str, int]) -> ShardRecord | None:
    """The record of a shard that stands whole in the unfinished store `out`, or None where it is not written.

    `sizes` are those of the files in `out`.
    """
    try:
        record = ShardRecord(**json.loads((out / PARTS / f"{shard}.done.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return record if not record.samples or stands(shard, record.bytes, sizes) else None


def stands(shard: str, num_bytes: int, sizes: Mapping[str, int]) -> bool:
    """Whether a tar of so many bytes and its index are among files of these sizes."""
    return sizes.get(shard) == num_bytes and sizes.get(index_path(Path(shard)).name, 0) > 0


@dataclass(frozen=True, slots=True)
class _Entry:
    """One sample of the shard, its bytes at `start` in the spool."""

    clip: Clip
    sample: Sample
    start: int
    size: int = 0
    xxh3: int = 0

    @property
    def key(self) -> str:
        return sample_key(self.clip.clip, self.sample.frame, self.sample.face)

    def without_data(self) -> _Entry:
        data = self.sample.data
        bare = replace(self.sample, data=b"")
        return _Entry(self.clip, bare, self.start, len(data), xxhash.xxh3_64_intdigest(data))


def _write_tar(shard: str, entries: list[_Entry], spool: IO[bytes], out: Path) -> list[dict[str, Any]]:
    def samples() -> Iterator[TarSample]:
        for entry in entries:
            spool.seek(entry.start)
            yield TarSample(entry.key, entry.sample.ext, spool.read(entry.size), _sample_json(entry))

    offsets = write_tar(out / shard, samples())
    return [_index_row(entry, shard, offset) for entry, offset in zip(entries, offsets, strict=True)]


def _index_row(entry: _Entry, shard: str, offset: int) -> dict[str, Any]:
    clip, sample = entry.clip, entry.sample
    box = sample.box or (None, None, None, None)
    return {
        "key": entry.key,
        "shard": shard,
        "offset": offset,
        "size": entry.size,
        "xxh3": entry.xxh3,
        "ext": sample.ext,
        "split": clip.split,
        "label": clip.label,
        "dataset": clip.dataset,
        "raw_method": clip.raw_method,
        "method": clip.method,
        "category": clip.category,
        "quality": clip.quality,
        "clip": clip.clip,
        "frame": sample.frame,
        "face": sample.face,
        **dict(zip(("box_x0", "box_y0", "box_x1", "box_y1"), box, strict=True)),
        "score": sample.score,
        "origin": sample.origin,
        "target_id": clip.target_id,
        "source_id": clip.source_id,
        "group": clip.group,
        "width": sample.width,
        "height": sample.height,
    }


def _sample_json(entry: _Entry) -> bytes:
    """What a reader without dfx gets beside the image: the index row, less what only the index can say."""
    row = _index_row(entry, "", 0)
    kept = {name: value for name, value in row.items() if name not in ("shard", "offset", "size", "xxh3", "ext")}
    return json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()


def _clip_row(clip: Clip, report: ClipReport, shard: str, samples: int) -> dict[str, Any]:
    return {
        "clip": clip.clip,
        "path": clip.first,
        "source_bytes": clip.source_bytes,
        "shard": shard,
        "split": clip.split,
        "label": clip.label,
        "dataset": clip.dataset,
        "raw_method": clip.raw_method,
        "method": clip.method,
        "quality": clip.quality,
        "target_id": clip.target_id,
        "source_id": clip.source_id,
        "samples": samples,
        **asdict(report),
    }
