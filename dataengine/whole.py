"""Files of a store that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from dataengine.errors import StoreError

PARTS = ".parts"
"""The folder in an unfinished store that holds what is being written, and the records of what is finished."""


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file whole or not at all."""
    with renamed_when_whole(path) as stream:
        pq.write_table(table, stream, compression="zstd")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with renamed_when_whole(path) as stream:
        stream.write(data)


@contextmanager
def renamed_when_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, synced and renamed to `path` at the end; nothing is left where an exception ends it.

    Its temporary name lies in the store's PARTS, so that a killed process leaves nothing beside the shards.
    """
    parts = path.parent if path.parent.name == PARTS else path.parent / PARTS
    # Not the process's number: two machines that share the folder may give the same one.
    temporary = parts / f"tmp-{secrets.token_hex(6)}-{path.name}"
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def disk_full_is_clear(out: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write below `out` into a StoreError of one line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"no space left for {out}; free some and run the same command again, finished shards are kept"
            ) from None
        if error.errno == errno.EFBIG:
            raise StoreError(
                f"a file of {out} grew beyond what its file system or `ulimit -f` allows; raise that, or give a "
                "smaller --shard-samples"
            ) from None
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise StoreError(f"{out} cannot be written to ({error.strerror}); choose another --out") from None
        raise
