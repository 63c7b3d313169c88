"""Damage of every kind is found, at the level that promises to find it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash

from dataengine.errors import DfxError
from dataengine.operations.target import seal
from dataengine.operations.verify import Level, verify
from dataengine.store import Store, file_sha256, open_unchecked
from tests.dataengine.operations.harm import flip

TAR = "train-000000.tar"


def found(root: Path, level: Level) -> list[tuple[str, str]]:
    return [(finding.file, finding.reason) for finding in verify(open_unchecked(root), level).findings]


@pytest.mark.parametrize("level", ["quick", "full", "decode"])
def test_a_whole_store_is_found_whole(failing_store: Store, level: Level) -> None:
    verified = verify(failing_store, level)
    assert (verified.findings, verified.notes) == ((), ())
    assert verified.images == (0 if level == "quick" else failing_store.index().num_rows)


def test_every_tar_is_heard_of(failing_store: Store) -> None:
    heard: list[tuple[str, int]] = []
    verify(failing_store, "quick", on_shard=lambda name, total: heard.append((name, total)))
    names = failing_store.shards()["shard"].to_pylist()
    assert heard == [(name, len(names)) for name in names]


def header_at(root: Path) -> int:
    """Where the second image's header begins."""
    with tarfile.open(root / TAR) as tar:
        return [info.offset for info in tar][2]


HARMS: list[tuple[Callable[[Path], object], str, str]] = [
    (lambda root: (root / TAR).unlink(), TAR, "is missing"),
    (lambda root: (root / TAR).write_bytes((root / TAR).read_bytes()[:-600]), TAR, "bytes instead of"),
    (lambda root: (root / TAR).write_bytes(b"no tar"), TAR, "cannot be read as a tar"),
    (lambda root: flip(root / TAR, header_at(root) + 3), TAR, "lacks"),
    (lambda root: (root / "train-000000.idx").unlink(), "train-000000.idx", "is missing"),
    (lambda root: flip(root / "train-000000.idx", 20), "train-000000.idx", "does not fit its tar"),
    (lambda root: (root / "index.parquet").unlink(), "index.parquet", "is missing"),
    (lambda root: flip(root / "clips.parquet", 100), "clips.parquet", "sha256 is not the recorded one"),
    (lambda root: (root / "shards.parquet").write_bytes(b"PAR1"), "shards.parquet", "has 4 bytes instead of"),
]


@pytest.mark.parametrize("level", ["quick", "full"])
@pytest.mark.parametrize(("harm", "file", "reason"), HARMS)
def test_damage_outside_the_images_is_found_quickly(
    copy: Path, level: Level, harm: Callable[[Path], object], file: str, reason: str
) -> None:
    harm(copy)
    damage = found(copy, level)
    assert {name for name, _ in damage} == {file}
    assert any(reason in said for _, said in damage)


def test_a_flipped_bit_of_an_image_is_found_by_its_hash_and_named(copy: Path) -> None:
    row = next(row for row in open_unchecked(copy).index().to_pylist() if row["shard"] == TAR)
    flip(copy / TAR, row["offset"] + 300)
    assert found(copy, "quick") == []
    (first, said), (second, named) = found(copy, "full")
    assert (first, second) == (TAR, TAR)
    assert said.startswith("sha256 ")
    assert named == f"{row['key']}: its bytes are not those that were stored (xxh3 differs)"


def test_a_tar_is_hashed_even_where_the_index_is_lost(copy: Path) -> None:
    (copy / "index.parquet").unlink()
    flip(copy / TAR)
    assert [name for name, _ in found(copy, "full")] == ["index.parquet", TAR]
    assert verify(open_unchecked(copy)).notes == ("the tars could not be compared with index.parquet",)


def reseal(root: Path, change: Callable[[dict[str, object]], None], row: int) -> dict[str, object]:
    """Write a store's tables anew with a row of the index changed, so that all hashes fit; the row as it is then."""
    store = open_unchecked(root)
    rows = store.index().to_pylist()
    change(rows[row])
    shards = store.shards().to_pylist()
    for shard in shards:
        shard["sha256"] = file_sha256(root / shard["shard"])
    (root / ".parts").mkdir()
    index, schema = pa.Table.from_pylist(rows, schema=store.index().schema), store.shards().schema
    seal(root, index, store.clips(), pa.Table.from_pylist(shards, schema=schema), store.meta)
    return rows[row]


def test_an_image_that_no_decoder_takes_is_found_by_decoding_alone(copy: Path) -> None:
    rows = open_unchecked(copy).index().to_pylist()
    number, row = next((n, row) for n, row in enumerate(rows) if row["shard"] == TAR)
    data = bytearray((copy / TAR).read_bytes())
    data[row["offset"] + 700 : row["offset"] + row["size"]] = bytes(row["size"] - 700)
    (copy / TAR).write_bytes(data)
    image = bytes(data[row["offset"] : row["offset"] + row["size"]])
    reseal(copy, lambda row: row.update(xxh3=xxhash.xxh3_64_intdigest(image)), number)
    assert found(copy, "full") == []
    assert found(copy, "decode") == [(TAR, f"{row['key']}: JPEG cannot be decoded: Premature end of JPEG file")]


def test_an_image_of_another_size_than_the_index_says_is_found_by_decoding(copy: Path) -> None:
    row = reseal(copy, lambda row: row.update(width=60_000), 0)
    assert found(copy, "full") == []
    reason = f"{row['key']}: image is 48 x 48 px, but 60000 x 48 px in the index"
    assert found(copy, "decode") == [(row["shard"], reason)]


def test_rows_that_point_elsewhere_in_the_tar_are_found_quickly(copy: Path) -> None:
    row = reseal(copy, lambda row: row.update(offset=int(str(row["offset"])) + 512), 0)
    ((file, reason),) = found(copy, "quick")
    assert file == row["shard"]
    assert reason.startswith(f"has 1 images elsewhere than the index says (first: {row['key']}.jpg")


def test_what_a_stranger_put_into_a_tar_is_named(copy: Path) -> None:
    with tarfile.open(copy / TAR, "a") as tar:
        link = tarfile.TarInfo("../../etc/passwd")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("more.jpg"), io.BytesIO())
    reasons = [reason for _, reason in found(copy, "full")]
    assert "holds 2 files that the index does not know (first: ../../etc/passwd)" in reasons


def test_tables_that_contradict_each_other_are_found(copy: Path) -> None:
    clips = pq.read_table(copy / "clips.parquet").to_pylist()
    first = next(row for row in clips if row["status"] == "ok")
    first["samples"] += 1
    pq.write_table(pa.Table.from_pylist(clips, schema=open_unchecked(copy).clips().schema), copy / "clips.parquet")
    meta = json.loads((copy / "dataset.json").read_text())
    file = copy / "clips.parquet"
    meta["tables"]["clips.parquet"] = {"bytes": file.stat().st_size, "sha256": file_sha256(file)}
    (copy / "dataset.json").write_text(json.dumps(meta))
    assert found(copy, "quick") == [("clips.parquet", f"counts 3 samples of {first['clip']}, index.parquet 2")]


def test_an_unknown_level_is_refused(failing_store: Store) -> None:
    with pytest.raises(DfxError, match="unknown level 'deep'"):
        verify(failing_store, "deep")  # type: ignore[arg-type]


def test_no_torch_is_imported_where_no_image_is_decoded(failing_store: Store) -> None:
    code = (
        "import sys\n"
        "from dataengine.operations.verify import verify\n"
        "from dataengine.store import open_unchecked\n"
        "assert verify(open_unchecked(sys.argv[1])).findings == ()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(failing_store.root)], check=True)
