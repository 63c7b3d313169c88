"""The stream that DNA-Det is pre-trained on: pictures, each transformed in one of 170 ways that it is to be told by.

It stands in `Loader`'s place: the same order, the same exact resume, the same treatment of bad images.
"""

from __future__ import annotations

import hashlib
import operator
import threading
import weakref
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from dataengine.augment import augment_preset
from dataengine.backends import Request
from dataengine.backends.cpu import Scratch, decode_image
from dataengine.backends.slices import SlicePool, usable_cpus
from dataengine.batches import BadBudget, BadSamples, Batch
from dataengine.errors import DfxError, MediaError, StoreError
from dataengine.fetch import Shards
from dataengine.order import Policy, text_hash
from dataengine.parts import Part, Parts, shards_at_once
from dataengine.replacement import Replacements
from dataengine.selection import Rows
from dataengine.stream import Stream
from trainers.dnadet.choices import CROP_PX, Choices, choose, crop
from trainers.dnadet.transforms import TRANSFORMS, Pixels, apply
from trainers.models.dnadet import MEAN, SIZE_PX, STD

Ints = npt.NDArray[np.int64]

STATE_FORMAT = 1


class PretrainStream(Stream):
    """Streams `rows` as `Loader` does; labels are the transformation, an index into TRANSFORMS.

    Pictures are cropped and transformed at CROP_PX on the CPU, enlarged (bicubic, as PIL does it) to `size` and
    normalised on the device. What is drawn follows from (rows, policy, seed, epoch, position) alone. A sample that
    cannot be read is replaced in training by any other, with the transformation of its position; in evaluation, where
    each sample always gets the same transformation, its `valid` is False.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        batch: int,
        mode: Literal["train", "eval"] = "train",
        policy: str | Policy | None = None,
        size: int = SIZE_PX,
        seed: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        gathered: bool = False,
        device: str | torch.device = "cpu",
        threads: int | None = None,
        dtype: torch.dtype = torch.float32,
        mean: tuple[float, float, float] = MEAN,
        std: tuple[float, float, float] = STD,
        prefetch: int = 2,
        budget: BadBudget | None = None,
    ) -> None:
        """As for `Loader`. Raises DfxError for settings that cannot work."""
        super().__init__()
        threads = usable_cpus() if threads is None else threads
        for name, value in (("size", size), ("prefetch", prefetch), ("threads", threads)):
            if value < 1:
                raise DfxError(f"{name} is {value}; give at least 1")
        self._rows, self._seed, self._size = rows, operator.index(seed), size
        self._parts = Parts(
            rows,
            policy,
            augment_preset("none"),
            batch=batch,
            mode=mode,
            seed=self._seed,
            rank=rank,
            world_size=world_size,
            gathered=gathered,
        )
        self._widths, self._heights = (rows.column(side).astype(np.int64) for side in ("width", "height"))
        self._keys = None if self._parts.train else np.array([text_hash(key) for key in rows.strings("key")], np.uint64)
        self._device, self._dtype = torch.device(device), dtype
        self._mean, self._std = (torch.tensor(of, device=self._device).view(3, 1, 1) for of in (mean, std))
        self._shards = Shards(rows)
        self._shards.check_fits(shards_at_once(self._parts.policy))
        self._pool = SlicePool(threads=threads, prefetch=prefetch)
        weakref.finalize(self, self._shards.close)  # at the interpreter's end before the threads are waited for
        self._local = threading.local()
        self._bad = BadSamples(rows, budget or BadBudget())
        self._replacements = Replacements(np.zeros(len(rows), dtype=np.int64), self._seed)
        cv2.setNumThreads(1)  # else each of our threads would start OpenCV's own for one small image

    backend = "cpu"
    backend_reason = "transformations are executed by OpenCV and libjpeg-turbo"

    def _release(self) -> None:
        self._shards.close()
        self._pool.close()

    def _identity(self) -> dict[str, Any]:
        classes = hashlib.sha256("\n".join(map(str, TRANSFORMS)).encode()).hexdigest()
        return {
            "format": STATE_FORMAT,
            **self._rows.identity(),
            "policy": str(self._parts.policy),
            "transforms": classes,
            "seed": self._seed,
        }

    def _made(self) -> Generator[tuple[Part, Batch]]:
        handed_in: deque[Part] = deque()

        def requests() -> Iterator[Request]:
            for part in self._parts(self._epoch, self._position):
                handed_in.append(part)
                yield part.request

        def prepare(request: Request) -> _Target:
            part = handed_in[-1]
            return _Target(self._choose(part.epoch, part.positions, request.rows), self._empty(len(request.rows)))

        self._shards.follow(rows for _, _, rows in self._parts.rows(self._epoch, self._position))
        results = self._pool.ahead(requests(), prepare, self._work)
        try:
            for _, target, failures in results:
                part = handed_in.popleft()
                yield part, self._finish(part, target, [failure for found in failures for failure in found])
        finally:
            results.close()

    def _choose(self, epoch: int, positions: Ints, rows: Ints) -> Choices:
        widths, heights = self._widths[rows], self._heights[rows]
        if self._keys is not None:
            return choose(0, 0, self._keys[rows], widths, heights)
        return choose(self._seed, epoch, positions, widths, heights)

    def _empty(self, batch: int) -> torch.Tensor:
        return torch.empty((batch, CROP_PX, CROP_PX, 3), dtype=torch.uint8, pin_memory=self._device.type == "cuda")

    def _work(self, request: Request, target: _Target, part: range) -> list[tuple[int, str]]:
        failures, out = [], target.images.numpy()
        for i in part:
            if (row := int(request.rows[i])) >= 0:
                try:
                    out[i] = self._transformed(row, target.choices, i)
                except MediaError as error:
                    failures.append((i, str(error)))
        return failures

    def _transformed(self, row: int, choices: Choices, i: int) -> Pixels:
        """The picture of a row as it was chosen for place `i`: (CROP_PX, CROP_PX, 3). Raises MediaError."""
        image = decode_image(self._shards.read(row), self._local.__dict__.setdefault("scratch", Scratch()))
        size, said = image.shape[1::-1], (int(self._widths[row]), int(self._heights[row]))
        if size != said:
            raise MediaError(f"image is {size[0]} x {size[1]} px, but {said[0]} x {said[1]} px in the index")
        window = crop(image, int(choices.left[i]), int(choices.top[i]))
        return apply(TRANSFORMS[choices.transform[i]], window, int(choices.noise[i]))

    def _finish(self, part: Part, target: _Target, failures: list[tuple[int, str]]) -> Batch:
        rows = part.request.rows.copy()
        valid = rows >= 0
        last = -1
        for i, reason in failures:
            if valid[last + 1 : i].any():
                self._bad.good()
            last = i
            self._bad.add(int(rows[i]), reason)
            valid[i] = self._parts.train
            if self._parts.train:
                rows[i], pixels = self._replace(part, i)
                target.images[i] = torch.from_numpy(pixels)
        if valid[last + 1 :].any():
            self._bad.good()
        images = self._enlarged(target.images.to(self._device, non_blocking=True))
        if not valid.all():
            images[torch.from_numpy(~valid).to(self._device)] = 0
        labels = np.where(rows >= 0, target.choices.transform, -1)
        return Batch(
            images,
            torch.from_numpy(labels).to(self._device, non_blocking=True),
            torch.from_numpy(rows),
            torch.from_numpy(valid),
        )

    def _enlarged(self, images: torch.Tensor) -> torch.Tensor:
        """(B, CROP_PX, CROP_PX, 3) uint8 to (B, 3, size, size), normalised; in between whole levels, as PIL's."""
        planes = images.permute(0, 3, 1, 2).to(torch.float32)
        large = functional.interpolate(planes, size=(self._size, self._size), mode="bicubic", antialias=True)
        levels = large.round_().clamp_(0, 255).div_(255)
        return levels.sub_(self._mean).div_(self._std).to(self._dtype, memory_format=torch.channels_last)

    def _replace(self, part: Part, i: int) -> tuple[int, Pixels]:
        """Another sample for the bad one at place `i`: its row, and its pixels transformed as the position's are."""
        position = part.positions[i : i + 1]
        for row in self._replacements.of(int(part.request.rows[i]), part.epoch, int(position[0])):
            try:
                return row, self._transformed(row, self._choose(part.epoch, position, np.array([row])), 0)
            except MediaError as error:
                self._bad.add(row, str(error))  # raises past the budget
        raise StoreError("no sample of the selection can be read; see `dfx verify STORE`")


@dataclass(frozen=True, slots=True)
class _Target:
    """A batch that is worked on."""

    choices: Choices
    images: torch.Tensor
    """uint8 (B, CROP_PX, CROP_PX, 3), on the host."""
