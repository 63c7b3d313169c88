"""A bad image never ends a run: both backends judge alike, go on, and tell which it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
import xxhash

from dataengine.batches import BadBudget, BadSample, Batch
from dataengine.errors import StoreError
from dataengine.loader import Loader
from dataengine.operations.verify import verify
from dataengine.selection import Rows
from tests.dataengine.made import BACKENDS, NEEDS_DALI, ON_DALI, jpeg, made_rows, on, picture, png

COUNT, HARMED = 20, 19  # the last: a tar that is cut there loses no other sample


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    rows = made_rows(tmp_path, [jpeg(picture(i)) for i in range(COUNT)])
    assert not verify(rows.stores[0]).findings
    return rows


def open_loader(rows: Rows, mode: str, backend: str, **changes: object) -> Loader:
    chosen = {"batch": 5, "size": 16, "threads": 2, "dtype": torch.uint8, "augment": "crop", **changes}
    return Loader(rows, rows.codes("method")[0], mode=mode, **on(backend), **chosen)


def giant_header(data: bytes) -> bytes:
    """The JPEG, saying that it is 60,000 x 60,000 px."""
    start = data.index(b"\xff\xc0")
    return data[: start + 5] + (60_000).to_bytes(2) * 2 + data[start + 9 :]


def _middle(data: bytes, put: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + put + data[at + len(put) :]


HARMS: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[: len(data) // 2],
    "zeros in the middle": lambda data: _middle(data, bytes(64)),
    "a flipped byte": lambda data: _middle(data, bytes([data[len(data) // 2] ^ 0x20])),
    "a giant header": giant_header,
    "a PNG named jpg": lambda data: png(np.zeros((40, 40, 3), np.uint8)).ljust(len(data), b"\0"),
}


def _place(rows: Rows, row: int) -> tuple[Path, int, int]:
    file = Path(str(rows.shard_files[int(rows.column("shard_file")[row])]))
    return file, int(rows.column("offset")[row]), int(rows.column("size")[row])


def harm(rows: Rows, row: int, change: Callable[[bytes], bytes]) -> None:
    """Overwrite a sample in its tar, in place; what gets shorter cuts the tar there."""
    file, offset, size = _place(rows, row)
    tar = file.read_bytes()
    data = change(tar[offset : offset + size])
    with file.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)
        if len(data) < size:
            stream.truncate()


def stored_as(rows: Rows, row: int, data: bytes) -> Rows:
    """Rows whose index vouches for other bytes at `row`: their size and hash fit, width and height stay."""
    file, offset, size = _place(rows, row)
    assert len(data) <= size
    with file.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)
    table = rows.table
    for name, value in (("size", len(data)), ("xxh3", xxhash.xxh3_64_intdigest(data))):
        values = rows.column(name).copy()
        values[row] = value
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(values, table.schema.field(name).type))
    return replace(rows, table=table)


def _run(
    rows: Rows, mode: str, backend: str, change: Callable[[bytes], bytes]
) -> tuple[list[Batch], list[Batch], list[BadSample]]:
    """An epoch of the whole store, and the next one after its tars, that are open, were harmed."""
    file, *_ = _place(rows, HARMED)
    whole = file.read_bytes()
    try:
        with open_loader(rows, mode, backend) as loader:
            before = list(loader)
            assert loader.bad == []
            loader.set_epoch(0)
            harm(rows, HARMED, change)
            return before, list(loader), loader.bad
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize("backend", ON_DALI)
@pytest.mark.parametrize("kind", HARMS)
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_both_backends_meet_what_was_damaged_under_an_open_store_alike(
    rows: Rows, mode: str, kind: str, backend: str
) -> None:
    (_, cpu, cpu_bad), (_, dali, dali_bad) = (_run(rows, mode, name, HARMS[kind]) for name in ("cpu", backend))
    assert cpu_bad == dali_bad
    assert [(bad.row, bad.key) for bad in cpu_bad] == [(HARMED, rows.strings("key")[HARMED])]
    assert cpu_bad[0].reason
    for a, b in zip(cpu, dali, strict=True):
        assert (a.rows == b.rows).all()
        assert (a.labels == b.labels.cpu()).all()
        assert (a.valid == b.valid).all()
        assert (a.images.int() - b.images.cpu().int()).abs().max() <= 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_training_goes_on_with_one_of_its_class_and_evaluation_without_it(rows: Rows, backend: str) -> None:
    before, after, _ = _run(rows, "train", backend, HARMS["a flipped byte"])
    labels = torch.from_numpy(rows.codes("method")[0])
    seen, now = (torch.cat([batch.rows for batch in batches]) for batches in (before, after))
    assert (now == HARMED).sum() == 0
    assert (labels[seen] == labels[now]).all()
    assert ((seen == now) | (seen == HARMED)).all()
    _, after, _ = _run(rows, "eval", backend, HARMS["a flipped byte"])
    valid = torch.cat([batch.valid for batch in after])
    assert valid.tolist() == [row != HARMED for row in range(COUNT)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_past_the_budget_the_run_stops_with_the_shard_and_the_remedy(rows: Rows, backend: str) -> None:
    with open_loader(rows, "train", backend, budget=BadBudget(share=0.1)) as loader:
        for row in (3, 8, 12):
            harm(rows, row, HARMS["a flipped byte"])
        with pytest.raises(StoreError, match=r"3 of 20 samples cannot be read .*\.tar.*xxh3 differs"):
            list(loader)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_png_that_is_named_jpg_is_decoded(rows: Rows, mode: str, backend: str) -> None:
    image = np.full((40, 40, 3), (200, 100, 50), np.uint8)
    named = stored_as(rows, HARMED, png(image))
    with open_loader(named, mode, backend) as loader:
        batches = list(loader)
        assert loader.bad == []
        assert not loader.fallbacks
    images, seen = torch.cat([batch.images.cpu() for batch in batches]), torch.cat([batch.rows for batch in batches])
    (place,) = torch.nonzero(seen == HARMED).flatten()
    assert (images[place] == torch.tensor([200, 100, 50], dtype=torch.uint8).view(3, 1, 1)).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_giant_header_whose_hash_fits_is_refused_before_it_is_decoded(rows: Rows, backend: str, kind: str) -> None:
    _, _, size = _place(rows, HARMED)
    huge = png(np.zeros((40, 40, 3), np.uint8))
    huge = huge[:16] + (60_000).to_bytes(4) * 2 + huge[24:]
    lying = stored_as(rows, HARMED, huge if kind == "png" else giant_header(jpeg(picture(HARMED)))[:size])
    with open_loader(lying, "eval", backend) as loader:
        valid = torch.cat([batch.valid for batch in loader])
        assert [(bad.row, bad.reason) for bad in loader.bad] == [
            (HARMED, "image is 60000 x 60000 px, but 40 x 40 px in the index")
        ]
        assert not loader.fallbacks
    assert valid.sum() == COUNT - 1


@pytest.mark.parametrize("backend", ["cpu", pytest.param("dali", marks=NEEDS_DALI)])  # a GPU may decode what is there
def test_a_jpeg_that_was_stored_cut_off_is_told_alike(rows: Rows, backend: str) -> None:
    file, offset, size = _place(rows, HARMED)
    cut = stored_as(rows, HARMED, file.read_bytes()[offset : offset + size // 2])
    with open_loader(cut, "eval", backend) as loader:
        assert torch.cat([batch.valid for batch in loader]).sum() == COUNT - 1
        assert [bad.row for bad in loader.bad] == [HARMED]
        assert "JPEG cannot be decoded" in loader.bad[0].reason
