"""Crop, scale and flip as users of other loaders write them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import simplejpeg
import torch

from dataengine.backends.cpu import Pixels
from dataengine.throughput.race import Crop


def torchvision_transform(crop: Crop, size: int, *, pil: bool) -> Callable[[Any], torch.Tensor]:
    """torchvision's transforms to uint8 (3, size, size), of a PIL image, or of a tensor that is decoded already.

    Bilinear; without antialiasing, which the others don't do either, where it can be left out: PIL's always does it.
    """
    from torchvision.transforms import v2

    interpolation = v2.InterpolationMode.BILINEAR
    steps = [
        v2.RandomResizedCrop(size, crop.scale, crop.ratio, interpolation, antialias=pil),
        v2.RandomHorizontalFlip(crop.flip),
    ]
    transform: Callable[[Any], torch.Tensor] = v2.Compose([*steps, v2.PILToTensor()] if pil else steps)
    return transform


class TurboTransform:
    """libjpeg-turbo, OpenCV's resize, flip: a JPEG's bytes to uint8 (size, size, 3)."""

    def __init__(self, crop: Crop, size: int) -> None:
        self._crop, self._size = crop, size

    def __call__(self, data: bytes) -> torch.Tensor:
        """As a tensor, which reaches the parent of a worker process through shared memory."""
        out = np.empty((self._size, self._size, 3), dtype=np.uint8)
        self.write(data, out)
        return torch.from_numpy(out)

    def write(self, data: bytes, out: Pixels) -> None:
        """Into the place in the batch."""
        image = simplejpeg.decode_jpeg(data, "RGB")
        x, y, w, h = window(self._crop, image.shape[1], image.shape[0])
        cv2.resize(image[y : y + h, x : x + w], out.shape[:2], dst=out, interpolation=cv2.INTER_LINEAR)
        if random.random() < self._crop.flip:
            cv2.flip(out, 1, dst=out)


def window(crop: Crop, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width and height in pixels: drawn until it fits, as torchvision does, at last the centred square."""
    thin, wide = math.log(crop.ratio[0]), math.log(crop.ratio[1])
    for _ in range(10):
        area = random.uniform(*crop.scale) * width * height
        ratio = math.exp(random.uniform(thin, wide))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return random.randint(0, width - w), random.randint(0, height - h), w, h
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side


def stacked(samples: list[tuple[torch.Tensor, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch of single images and labels."""
    images, labels = zip(*samples, strict=True)
    return torch.stack(images), torch.tensor(labels)


def transformed(
    transform: Callable[[Any], torch.Tensor], samples: list[dict[str, Any]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch of single samples that have an `image` yet to be transformed, and a `label`."""
    return stacked([(transform(sample["image"]), sample["label"]) for sample in samples])
