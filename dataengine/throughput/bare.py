"""The bounds: reading alone, and decoding alone, with the threads that the loaders get."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

import numpy as np
import simplejpeg

from dataengine.augment import augment_preset, draw
from dataengine.backends import Request
from dataengine.backends.cpu import Scratch, decode_image
from dataengine.backends.headers import JPEG
from dataengine.backends.slices import SlicePool
from dataengine.errors import MediaError, StoreError
from dataengine.fetch import Shards
from dataengine.order import permute
from dataengine.selection import Rows
from dataengine.throughput.records import Settings


class Bare:
    """Reads, or only decodes, rows in a random order."""

    def __init__(self, rows: Rows, settings: Settings) -> None:
        """Have the bytes of `rows` at hand. Raises StoreError for a damaged one: it would be no fair race."""
        self._rows, self._batch = rows, settings.batch
        self._shards = Shards(rows)
        self._buffer_bytes = 3 * int((rows.column("width").astype(np.int64) * rows.column("height")).max())
        self._local = threading.local()
        self._bytes = self._load_all()
        self._pool = SlicePool(threads=settings.threads, prefetch=2)

    def read(self) -> int:
        """Their bytes, checked against the index; how many images."""
        deque(self._pool.ahead(self._requests(), _no_target, self._read), maxlen=0)
        return len(self._rows)

    def decode(self) -> int:
        """Their pixels, from bytes that are at hand; how many images."""
        deque(self._pool.ahead(self._requests(), _no_target, self._decode), maxlen=0)
        return len(self._rows)

    def close(self) -> None:
        """End the threads."""
        self._pool.close()
        self._shards.close()

    def _load_all(self) -> list[memoryview]:
        places = zip(*(self._rows.column(name).tolist() for name in ("shard_file", "offset")), strict=True)
        held: dict[tuple[int, int], memoryview] = {}  # a row may stand there more than once
        return [held.get(place) or held.setdefault(place, self._load(row)) for row, place in enumerate(places)]

    def _load(self, row: int) -> memoryview:
        try:
            return self._shards.read(row)
        except MediaError as error:
            store = self._rows.refs[int(self._rows.column("store")[row])].path
            raise StoreError(
                f"{store} cannot be measured, a sample is damaged: {error}; see `dfx verify {store}`"
            ) from None

    def _requests(self) -> Iterator[Request]:
        side = np.ones(1, dtype=np.int64)
        nothing = draw(augment_preset("none"), 0, 0, side, 0, side, side)
        order = permute(np.arange(len(self._rows)), len(self._rows), 1)
        for start in range(0, len(order), self._batch):
            yield Request(order[start : start + self._batch], nothing)

    def _read(self, request: Request, target: None, part: range) -> None:
        for i in part:
            self._shards.read(int(request.rows[i]))

    def _decode(self, request: Request, target: None, part: range) -> None:
        scratch: Scratch = self._local.__dict__.setdefault("scratch", Scratch())
        buffer = scratch.of(self._buffer_bytes)
        for i in part:
            data = self._bytes[int(request.rows[i])]
            if data[:2] == JPEG:
                simplejpeg.decode_jpeg(data, "RGB", buffer=buffer)
            else:
                decode_image(data, scratch)


def _no_target(request: Request) -> None:
    """Nothing is kept."""
