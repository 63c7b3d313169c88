"""Stores with footage that tells itself apart, for planting leaks in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from dataengine.convert import convert
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.settings import ExtractSettings
from tests.dataengine.made import jpeg


def scene(number: int, size: int = 96) -> np.ndarray:
    """A scene with detail at every scale, RGB uint8; another one for each number."""
    random = np.random.default_rng(number)
    total = np.zeros((size, size, 3))
    for cells in (3, 6, 12, 24, 48):
        noise = random.normal(0, 1, (cells, cells, 3))
        total += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC) * 40 / np.sqrt(cells)
    return (total + 128).clip(0, 255).astype(np.uint8)


def with_another_face(image: np.ndarray, number: int) -> np.ndarray:
    """The image with its middle (a twentieth) replaced, as a fake has it."""
    size = len(image)
    made, part = image.copy(), slice(size * 2 // 5, size * 5 // 8)
    made[part, part] = scene(number, size)[part, part]
    return made


def write(root: Path, clips: Mapping[str, Sequence[bytes]], *, name: str) -> str:
    """A store in `root` of clips named "SPLIT/CLASS/TARGET" or "SPLIT/CLASS/TARGET__SOURCE", of encoded frames."""
    for clip, frames in clips.items():
        folder = root / "tree" / clip
        folder.mkdir(parents=True)
        for number, data in enumerate(frames):
            (folder / f"{number:03d}.jpg").write_bytes(data)
    settings = ConvertSettings(extract=ExtractSettings(faces="none"))
    convert("folder", root / "tree", root / name, settings, ScanOptions(name=name))
    return str(root / name)


def people(first: int) -> dict[str, list[bytes]]:
    """Real clips and a fake of different people in train, val and test."""
    clips = {
        f"{split}/{kind}": [jpeg(scene(first + 10 * number + frame)) for frame in range(2)]
        for number, (split, kind) in enumerate(
            (split, f"real/{first + k}") for k, split in enumerate(("train", "train", "val", "test", "test"))
        )
    }
    return clips | {f"train/FaceSwap/{first}__{first + 1}": [jpeg(scene(first + 90))]}
