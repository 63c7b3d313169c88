"""The encoded bytes of rows, from memory-mapped local tars."""

from __future__ import annotations

import mmap
import threading

import numpy as np
import xxhash

from dataengine.errors import MediaError
from dataengine.store import Rows

_MAX_OPEN = 512  # each map holds a file descriptor, and 1,024 is a common limit for a process


class Shards:
    """Reads rows' bytes without a copy. Safe for many threads; shards are opened when first read."""

    def __init__(self, rows: Rows) -> None:
        self._paths = rows.shard_files
        self._shard = rows.column("shard_file").astype(np.int32)
        self._offset = rows.column("offset").astype(np.int64)
        self._size = rows.column("size").astype(np.int64)
        self._xxh3 = rows.column("xxh3").astype(np.uint64)
        self._maps: dict[int, memoryview] = {}
        self._opening = threading.Lock()

    def read(self, row: int) -> memoryview:
        """The bytes of `row` (an index into the rows' table), read-only, valid for as long as they are held.

        Raises MediaError where the tar cannot be read or the bytes are not those of the index: both backends must
        judge damage alike, and decoders do not.
        """
        shard, offset, size = int(self._shard[row]), int(self._offset[row]), int(self._size[row])
        data = (self._maps.get(shard) or self._open(shard))[offset : offset + size]
        if len(data) != size:
            raise MediaError("its tar ends before its last byte")
        if xxhash.xxh3_64_intdigest(data) != int(self._xxh3[row]):
            raise MediaError("its bytes are not those that were stored (xxh3 differs)")
        return data

    def _open(self, shard: int) -> memoryview:
        with self._opening:
            if shard not in self._maps:
                path = self._paths[shard]
                try:
                    with path.open("rb") as file:
                        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
                except (OSError, ValueError) as error:
                    raise MediaError(f"{path} cannot be read: {error}") from None
                if len(self._maps) >= _MAX_OPEN:
                    del self._maps[next(iter(self._maps))]
                self._maps[shard] = view
            return self._maps[shard]

    def close(self) -> None:
        """Let go of every tar; bytes that are still held keep theirs mapped until they are released."""
        self._maps.clear()
