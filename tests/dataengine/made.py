"""Tiny stores of generated images, converted from a folder tree, and ways to damage them afterwards."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
import simplejpeg
import xxhash
from PIL import Image

from dataengine.convert import convert
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.selection import Rows, select
from dataengine.settings import ExtractSettings

NEEDS_DALI = pytest.mark.skipif(sys.platform != "linux", reason="DALI is for Linux")
ON_DALI = [pytest.param("dali", marks=NEEDS_DALI), pytest.param("cuda", marks=pytest.mark.gpu)]
BACKENDS = ["cpu", *ON_DALI]
"""Who decodes: the cpu backend, DALI on the CPU, or DALI on a GPU."""


def on(backend: str) -> dict[str, str]:
    """What one of BACKENDS means to a loader."""
    return {"backend": "dali", "device": "cuda"} if backend == "cuda" else {"backend": backend}


def picture(number: int, width: int = 40, height: int = 40) -> np.ndarray:
    """A smooth colour field with sensor-like noise, RGB uint8; another one for each number."""
    random = np.random.default_rng(number)
    coarse = random.integers(0, 255, (max(2, height // 14), max(2, width // 14), 3)).astype(np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return (smooth + random.normal(0, 2, smooth.shape)).clip(0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, subsampling: str = "444", quality: int = 95) -> bytes:
    """The image as JPEG; "Gray" keeps its first channel."""
    if subsampling == "Gray":
        gray = np.ascontiguousarray(image[:, :, :1])
        return simplejpeg.encode_jpeg(gray, quality=quality, colorspace="GRAY", colorsubsampling="Gray")
    return simplejpeg.encode_jpeg(image, quality=quality, colorspace="RGB", colorsubsampling=subsampling)


def cmyk(image: np.ndarray, kind: str = "CMYK") -> bytes:
    """The image as a JPEG of four inks: "CMYK" or "YCCK" as Adobe stores them, or "bare": it does not say whose."""
    inks = Image.fromarray(image).convert("CMYK")
    if kind == "YCCK":
        inverted = 255 - np.asarray(inks)
        return simplejpeg.encode_jpeg(inverted, quality=95, colorspace="CMYK", colorsubsampling="420")
    file = io.BytesIO()
    inks.save(file, "JPEG", quality=95)
    data = file.getvalue()
    if kind == "bare":
        start = data.index(b"\xff\xee")  # the marker APP14, in which Adobe says so
        data = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4]) :]
    return data


def png(image: np.ndarray) -> bytes:
    """The image as PNG."""
    return cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))[1].tobytes()


def made_rows(root: Path, images: Sequence[bytes], classes: Sequence[str] = ("real", "FaceSwap")) -> Rows:
    """The rows of a store of these encoded images, in the split train; image i is of class i modulo their number."""
    for i, data in enumerate(images):
        suffix = "png" if data.startswith(b"\x89PNG") else "jpg"
        path = root / "tree" / "train" / classes[i % len(classes)] / f"{i:05d}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    settings = ConvertSettings(extract=ExtractSettings(faces="none"), shard_samples=16)
    convert("folder", root / "tree", root / "store", settings, ScanOptions())
    return select([str(root / "store")])


def first(rows: Rows, count: int) -> Rows:
    """The first rows alone."""
    return replace(rows, table=rows.table.slice(0, count))


def damage(rows: Rows, row: int, kind: str) -> None:
    """Overwrite the bytes of a row in its tar: "zeros" in the middle, a flipped "byte", or "truncate" the tar there."""
    path, data, span = _span(rows, row)
    middle = (span.start + span.stop) // 2
    if kind == "zeros":
        data[middle : middle + 64] = bytes(64)
    elif kind == "byte":
        data[middle] ^= 0x20
    else:
        del data[middle:]
    path.write_bytes(data)


def store_damaged(rows: Rows, row: int) -> Rows:
    """Rows whose index vouches for a sample that no decoder takes: the end of its JPEG is zeros."""
    path, data, span = _span(rows, row)
    data[span.start + 700 : span.stop] = bytes(len(span) - 700)
    path.write_bytes(data)
    hashes = rows.column("xxh3").copy()
    hashes[row] = xxhash.xxh3_64_intdigest(bytes(data[span.start : span.stop]))
    column = rows.table.schema.get_field_index("xxh3")
    return replace(rows, table=rows.table.set_column(column, "xxh3", pa.array(hashes, pa.uint64())))


def _span(rows: Rows, row: int) -> tuple[Path, bytearray, range]:
    path = rows.shard_files[int(rows.column("shard_file")[row])]
    offset, size = int(rows.column("offset")[row]), int(rows.column("size")[row])
    return path, bytearray(path.read_bytes()), range(offset, offset + size)
