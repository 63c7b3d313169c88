"""What every contender goes through: the same samples, once in each round, and the forms they are at hand in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from webdataset import TarWriter

from dataengine.augment import Augment, augment_preset
from dataengine.backends.headers import JPEG
from dataengine.errors import DfxError
from dataengine.fetch import Shards
from dataengine.order import permute
from dataengine.selection import Rows
from dataengine.throughput.records import Settings

SHARDS_PER_WORKER = 4  # more than one, so that shuffling shards means something


class Entry(Protocol):
    """A contender on its mark: whatever it converts once is converted when it is made."""

    def open(self) -> None:
        """Make the loader; the time from here to the first batch is reported."""
        ...

    def batches(self) -> Iterable[torch.Tensor]:
        """One round: the images of each batch, uint8, (B, 3, size, size) or (B, size, size, 3).

        Nothing is under way before it, and nothing after its last batch.
        """
        ...

    def close(self) -> None:
        """End its threads and processes."""
        ...


@dataclass(frozen=True, slots=True)
class Crop:
    """The random window and flip that every contender draws for itself."""

    scale: tuple[float, float]
    """Share of the image's area."""
    ratio: tuple[float, float]
    """Width / height, even in its logarithm."""
    flip: float


@dataclass(frozen=True, slots=True)
class Race:
    """The samples of a round, `rows`, each once: a row stands in it more than once where the store is small."""

    rows: Rows
    settings: Settings
    folder: Path
    """For copies in other formats; whoever made it removes it."""

    @property
    def num_images(self) -> int:
        """Images in a round."""
        return len(self.rows)

    @property
    def crop(self) -> Crop:
        """Raises DfxError for an augmentation that is more than one crop, scaled and flipped."""
        augment = augment_preset(self.settings.augment)
        scale = augment.crop_scale or (1.0, 1.0)
        crop = Crop(scale, augment.crop_ratio, augment.flip)
        alone = Augment(name=augment.name, crop_scale=augment.crop_scale, crop_ratio=crop.ratio, flip=crop.flip)
        if alone != augment:
            raise DfxError(f"the augmentation '{augment.name}' does more than crop and flip")
        return crop

    def samples(self, *, jpeg_only: bool = False) -> Iterator[tuple[memoryview, int]]:
        """The encoded bytes and the label of each, in the store's order.

        `jpeg_only`, for who reads nothing else: raises DfxError where there is another format.
        """
        labels = self.rows.column("label").tolist()
        with closing(Shards(self.rows)) as shards:
            for row, label in enumerate(labels):
                data = shards.read(row)
                if jpeg_only and data[:2] != JPEG:
                    raise DfxError("the store holds images that are no JPEG")
                yield data, label

    def tree(self, *, jpeg_only: bool = False) -> Path:
        """`<label>/<number>.jpg`, the stored bytes in a file each; written by the first who asks."""
        root = self.folder / "tree"
        if jpeg_only:
            deque(self.samples(jpeg_only=True), maxlen=0)
        if not root.exists():
            for number, (data, label) in enumerate(self.samples()):
                path = root / str(label) / f"{number:08d}.{_suffix(data)}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        return root

    def tars(self, *, jpeg_only: bool = False) -> list[Path]:
        """The stored bytes and the label (`cls`) in tars of one length, some for each worker."""
        root = self.folder / "tars"
        num_tars = self.settings.threads * SHARDS_PER_WORKER
        paths = [root / f"{number:05d}.tar" for number in range(num_tars)]
        if jpeg_only:
            deque(self.samples(jpeg_only=True), maxlen=0)
        if not root.exists():
            root.mkdir()
            samples = self.samples()
            for path in paths:
                with TarWriter(str(path), mtime=0) as tar:
                    for number in range(self.num_images // num_tars):
                        data, label = next(samples)
                        tar.write({"__key__": f"{path.stem}-{number:06d}", _suffix(data): bytes(data), "cls": label})
        return paths


def _suffix(data: memoryview) -> str:
    return "jpg" if data[:2] == JPEG else "png"


def round_length(rate: float, settings: Settings) -> int:
    """Images in a round at `rate` images/s of bare decoding: the same number of whole batches for each worker."""
    step = settings.batch * settings.threads * SHARDS_PER_WORKER
    return max(1, round(rate * settings.seconds / step)) * step


def repeated(rows: Rows, num_images: int) -> Rows:
    """So many of `rows`, drawn without favour: each as often as any other, give or take one."""
    chosen: npt.NDArray[np.int64] = permute(np.arange(num_images) % len(rows), len(rows), 0)
    return replace(rows, table=rows.table.take(np.sort(chosen)))
