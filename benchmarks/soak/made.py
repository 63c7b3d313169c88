"""The generated stores that the soak streams, and the damage done to them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from dataengine.convert import convert
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.selection import Rows, select
from dataengine.settings import ExtractSettings

SIDE = 64
SHARES = (("real", 0.4), ("Deepfakes", 0.3), ("FaceSwap", 0.2), ("NeuralTextures", 0.1))
"""Classes as uneven as those of real datasets: their share of the clips."""
MOST_FRAMES = 6
DAMAGED = 0.015
"""Share of the rows that are harmed."""


def make_store(root: Path, name: str, num_clips: int) -> str:
    """A store at `root/name` of clips of 1 to 6 images of 64 px, in shards of 32; its path."""
    random = np.random.default_rng(len(name) + num_clips)
    tree = root / "trees" / name
    for label, share in SHARES:
        for clip in range(round(num_clips * share)):
            folder = tree / "train" / label / f"{clip:04d}"
            folder.mkdir(parents=True)
            for frame in range(int(random.integers(1, MOST_FRAMES + 1))):
                coarse = random.integers(0, 255, (5, 5, 3), np.uint8)
                image = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
                (folder / f"{frame:03d}.jpg").write_bytes(simplejpeg.encode_jpeg(image, 95, "RGB", "444"))
    settings = ConvertSettings(extract=ExtractSettings(faces="none"), shard_samples=32)
    convert("folder", tree, root / name, settings, ScanOptions(name=name))
    return str(root / name)


def damage(rows: Rows) -> list[str]:
    """Flip a byte in the middle of every so many samples; their keys."""
    harmed = np.random.default_rng(0).choice(len(rows), max(2, round(len(rows) * DAMAGED)), replace=False)
    keys = rows.strings("key")
    for row in harmed.tolist():
        column = {name: int(rows.column(name)[row]) for name in ("shard_file", "offset", "size")}
        with open(str(rows.shard_files[column["shard_file"]]), "r+b") as tar:
            tar.seek(column["offset"] + column["size"] // 2)
            byte = tar.read(1)[0]
            tar.seek(-1, 1)
            tar.write(bytes([byte ^ 0x20]))
    return [keys[row] for row in harmed]


def make_stores(root: Path, num_clips: int) -> tuple[list[str], frozenset[str]]:
    """Two stores, the second half as large, and the keys of their damaged samples."""
    paths = [make_store(root, "first", num_clips), make_store(root, "second", num_clips // 2)]
    return paths, frozenset(key for path in paths for key in damage(select([path])))
