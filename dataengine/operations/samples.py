"""Samples out of finished stores as they are stored, each checked, one at a time."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import xxhash

from dataengine import place
from dataengine.errors import StoreError
from dataengine.place import how_to_mend
from dataengine.store import Store, file_sha256
from dataengine.tar import TarSample, read_members


def index_of(store: Store, number: int = 0) -> pa.Table:
    """A store's index with the column `store`, as `Rewrite.rows` has it."""
    index = store.index()
    return index.append_column("store", pa.array(np.full(index.num_rows, number, dtype=np.int32)))


def by_tar(index: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each tar in the order in which they stand, with its name."""
    codes = index["shard"].combine_chunks().dictionary_encode()
    names = codes.dictionary.to_pylist()
    numbers = codes.indices.to_numpy()
    begins = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist()] if len(numbers) else []
    for begin, end in zip(begins, [*begins[1:], len(numbers)], strict=True):
        yield names[numbers[begin]], index.slice(begin, end - begin)


class Samples:
    """Reads samples from stores; of a damaged tar none."""

    def __init__(self, stores: tuple[Store, ...]) -> None:
        self._stores = stores
        self._contents = [store.contents() for store in stores]
        self._whole: set[tuple[int, str]] = set()

    def of(self, rows: pa.Table) -> Iterator[TarSample]:
        """The stored samples in the order of the rows, a tar opened once where its rows stand together."""
        wanted = rows.select(["store", "shard", "key", "ext", "offset", "size", "xxh3"]).to_pylist()
        for (number, shard), part in groupby(wanted, key=lambda row: (row["store"], row["shard"])):
            file = self._stores[number].shard_path(shard)
            try:
                with self._opened(number, shard) as stream:
                    found = {member.name: member for member in read_members(stream)}
                    for row in part:
                        image = _read_at(stream, row["offset"], row["size"])
                        text = found.get(f"{row['key']}.json")
                        if xxhash.xxh3_64_intdigest(image) != row["xxh3"] or text is None:
                            raise StoreError(f"{file} does not hold the sample {row['key']}; {how_to_mend(file)}")
                        yield TarSample(row["key"], row["ext"], image, _read_at(stream, text.offset, text.size))
            except FileNotFoundError:
                raise StoreError(f"{file} is missing; {how_to_mend(file)}") from None
            except tarfile.TarError as error:
                raise StoreError(f"{file} is damaged ({error}); {how_to_mend(file)}") from None

    def _opened(self, number: int, shard: str) -> IO[bytes]:
        """A tar, its sha256 compared the first time: the JSON in it has no hash of its own."""
        file, content = self._stores[number].shard_path(shard), self._contents[number][shard]
        if isinstance(file, Path) and (number, shard) not in self._whole:  # the cache compares what it downloads
            if file_sha256(file) != content.sha256:
                raise StoreError(f"{file} is damaged (its sha256 is not the recorded one); {how_to_mend(file)}")
            self._whole.add((number, shard))
        return os.fdopen(place.open_file(file, content), "rb")


def _read_at(stream: IO[bytes], offset: int, size: int) -> bytes:
    stream.seek(offset)
    return stream.read(size)
