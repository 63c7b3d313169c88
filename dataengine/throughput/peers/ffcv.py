"""FFCV: a beton of the stored JPEGs, its compiled crop-resize and flip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from io import StringIO
from typing import Any

import numpy as np
import torch

from dataengine.backends.headers import jpeg_size
from dataengine.throughput.race import Race


class FfcvEntry:
    """An `Entry`: the page cache holds the file, random order, three batches ahead (FFCV's default).

    `RGBImageField` encodes again whatever it is given; here its `encode` writes the stored JPEG as it is, so that FFCV
    decodes the same bytes as the others. What it does with them is its own and cannot be chosen: the fast, less exact
    DCT, which saves it 3 % of decoding, and OpenCV's area interpolation, slower than the others' linear one where the
    image gets smaller.
    """

    def __init__(self, race: Race) -> None:
        from ffcv.fields import IntField, RGBImageField
        from ffcv.fields.rgb_image import IMAGE_MODES
        from ffcv.writer import DatasetWriter

        def encode(destination: Any, image: bytes, malloc: Any) -> None:
            destination["mode"] = IMAGE_MODES["jpg"]
            destination["width"], destination["height"] = jpeg_size(memoryview(image))
            destination["data_ptr"], storage = malloc(len(image))
            storage[:] = np.frombuffer(image, dtype=np.uint8)

        self._race, self._crop = race, race.crop
        self._path = str(race.folder / "race.beton")
        samples = [(bytes(data), label) for data, label in race.samples(jpeg_only=True)]
        field: Any = RGBImageField(write_mode="jpg")
        field.encode = encode
        writer = DatasetWriter(self._path, {"image": field, "label": IntField()}, num_workers=1)
        with redirect_stderr(StringIO()):  # it draws a progress bar of its own
            writer.from_indexed_dataset(samples)
        self._loader: Any = None

    def open(self) -> None:
        """See `Entry.open`."""
        from ffcv.fields.decoders import IntDecoder, RandomResizedCropRGBImageDecoder
        from ffcv.loader import Loader, OrderOption
        from ffcv.transforms import RandomHorizontalFlip, ToTensor

        settings, crop = self._race.settings, self._crop
        decode = RandomResizedCropRGBImageDecoder((settings.size, settings.size), crop.scale, crop.ratio)
        image: Sequence[Any] = [decode, RandomHorizontalFlip(crop.flip), ToTensor()]
        self._loader = Loader(
            self._path,
            batch_size=settings.batch,
            num_workers=settings.threads,
            os_cache=True,
            order=OrderOption.RANDOM,
            pipelines={"image": image, "label": [IntDecoder(), ToTensor()]},
        )

    def batches(self) -> Iterator[torch.Tensor]:
        """See `Entry.batches`."""
        for images, _ in self._loader:
            yield images

    def close(self) -> None:
        """See `Entry.close`."""
        self._loader = None
