"""The bytes of rows, from tars that lie here or come through the cache."""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress

import numpy as np
import numpy.typing as npt
import xxhash

from dataengine.ahead import Ahead
from dataengine.cache import readable, user_cache
from dataengine.errors import MediaError, StoreError
from dataengine.place import how_to_mend, is_remote, open_file
from dataengine.remote import StoppedError
from dataengine.selection import Rows

_MAX_OPEN = 256  # 1,024 descriptors are a common limit for a process, and it may have more than one loader
_AHEAD_SHARE = 4  # a quarter of the cache is for shards that are waiting to be read


class Shards:
    """Reads rows' bytes. Safe for many threads; shards are opened, and downloaded, when first read or shortly before.

    Local tars are read with `pread`, not mapped: where one is cut while it is mapped, the process dies of SIGBUS.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._files, self._contents = rows.shard_files, rows.shard_contents
        self._shard = rows.column("shard_file").astype(np.int32)
        self._offset = rows.column("offset").astype(np.int64)
        self._size = rows.column("size").astype(np.int64)
        self._xxh3 = rows.column("xxh3").astype(np.uint64)
        self._remote = np.array([is_remote(file) for file in self._files], dtype=bool)
        self._passing = bool(self._remote.any()) or len(self._files) > _MAX_OPEN  # some may have to be closed
        self._open: OrderedDict[int, _Tar] = OrderedDict()
        self._copied_bytes = 0  # of the open ones that lie in the cache
        self._opening: dict[int, Future[_Tar]] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._ahead: Ahead | None = None

    def read(self, row: int) -> memoryview:
        """The bytes of `row` (an index into the rows' table), read-only, valid for as long as they are held.

        Raises MediaError where a local tar cannot be read or the bytes are not those of the index: both backends must
        judge damage alike, and decoders do not. Raises StoreError where a remote tar cannot be had, and after `close`.
        """
        shard, offset, size = int(self._shard[row]), int(self._offset[row]), int(self._size[row])
        tar = self._open.get(shard)
        if tar is None:
            tar = self._opened(shard)
        elif self._passing:
            self._touch(shard)
        if (ahead := self._ahead) is not None:
            ahead.reached(shard)
        try:
            data = _pread(tar.descriptor, size, offset)
        except OSError as error:
            raise MediaError(f"{self._files[shard]} cannot be read: {error.strerror}") from None
        if len(data) != size:
            raise MediaError("its tar ends before its last byte")
        if xxhash.xxh3_64_intdigest(data) != int(self._xxh3[row]):
            raise MediaError("its bytes are not those that were stored (xxh3 differs)")
        return memoryview(data)

    def follow(self, upcoming: Iterator[npt.NDArray[np.int64]]) -> None:
        """Download remote shards ahead of the rows that will be read, in their order (-1: none is read there).

        `upcoming` is walked in the background, no further than shards are wanted: at most `ahead.MOST` that have
        not been read, and a quarter of the cache. What it raises, `read` raises. For local stores nothing is taken
        from it. A new `follow` ends the last one.
        """
        if self._ahead is not None:
            self._ahead.stop()
            self._ahead = None
        if self._remote.any() and not self._closed.is_set():
            sizes = [content.bytes if far else 0 for content, far in zip(self._contents, self._remote, strict=True)]
            wanted = _first_reads(upcoming, self._shard, ~self._remote)
            self._ahead = Ahead(wanted, self._bring, sizes, most_bytes=user_cache().limit // _AHEAD_SHARE)

    def check_fits(self, at_once: int | None) -> None:
        """Raise StoreError where the remote shards that are read in turn are more than the cache may hold.

        `at_once`: how many are read in turn before the order moves on to others (1: one after the other); None: all.
        Such an order would download every shard many times.
        """
        sizes = sorted((self._contents[i].bytes for i in np.flatnonzero(self._remote)), reverse=True)
        if not sizes:
            return
        cache = user_cache()
        all_of_them = at_once is None or at_once >= len(sizes)
        needed = sum(sizes) if all_of_them else sum(sizes[:at_once]) * _AHEAD_SHARE // (_AHEAD_SHARE - 1)
        if needed <= cache.limit:
            return
        window = int((np.cumsum(sizes) * _AHEAD_SHARE // (_AHEAD_SHARE - 1) <= cache.limit).sum())
        remedy = f"take --policy blocked:window={window}, or raise" if window > 1 else "raise"
        raise StoreError(
            f"the order goes through {len(sizes) if all_of_them else at_once} remote shards at a time "
            f"({', '.join(map(str, self._rows.refs))}), which needs {readable(needed)}; the cache in {cache.folder} "
            f"may hold {readable(cache.limit)}: {remedy} DFX_CACHE_LIMIT to {readable(needed)}"
        )

    def close(self) -> None:
        """Let go of every tar; a `read` that waits for a download raises StoreError. Bytes that are held stay."""
        self._closed.set()
        if self._ahead is not None:
            self._ahead.stop()
        with self._lock:
            self._open.clear()
            self._copied_bytes = 0

    def _touch(self, shard: int) -> None:
        try:  # noqa: SIM105 - suppress costs as much as all else here
            self._open.move_to_end(shard)
        except KeyError:  # another thread has just let go of it; we hold it still
            pass

    def _opened(self, shard: int) -> _Tar:
        while not self._closed.is_set():
            with suppress(StoppedError):  # of a download ahead that we waited for, and which was no longer wanted
                return self._bring(shard, self._closed)
        raise StoreError("the shards are closed; open the loader anew")

    def _bring(self, shard: int, stop: threading.Event) -> _Tar:
        """Open a shard, which downloads it where it must; of many threads one does, and the others wait."""
        with self._lock:
            if tar := self._open.get(shard):
                return tar
            future = self._opening.get(shard)
            if mine := future is None:
                future = self._opening[shard] = Future()
        if not mine:
            return future.result()
        try:
            tar = self._open_tar(shard, stop)
        except BaseException as error:
            with self._lock:
                del self._opening[shard]
            future.set_exception(error)
            raise
        with self._lock:
            del self._opening[shard]
            if not self._closed.is_set():
                self._keep(shard, tar)
        future.set_result(tar)
        return tar

    def _open_tar(self, shard: int, stop: threading.Event) -> _Tar:
        file = self._files[shard]
        try:
            return _Tar(open_file(file, self._contents[shard], stop=stop))
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise StoreError(
                    f"{file} cannot be opened: {error.strerror}; raise the limit (`ulimit -n 4096`), or close loaders"
                ) from None
            if not is_remote(file):
                raise MediaError(f"{file} cannot be read: {error.strerror}") from None
            raise StoreError(f"{file} is missing; {how_to_mend(file)}") from None

    def _keep(self, shard: int, tar: _Tar) -> None:
        """Open copies hold their place on the disk even when they are evicted, so they count as the cache does."""
        self._open[shard] = tar
        self._copied_bytes += self._contents[shard].bytes if self._remote[shard] else 0
        limit = user_cache().limit if self._copied_bytes else 0
        while len(self._open) > 1 and (len(self._open) > _MAX_OPEN or self._copied_bytes > limit):
            gone, _ = self._open.popitem(last=False)
            self._copied_bytes -= self._contents[gone].bytes if self._remote[gone] else 0


class _Tar:
    """An open file, closed with the last thread that reads from it."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __del__(self, close: Callable[[int], None] = os.close) -> None:  # at the interpreter's end, `os` may be gone
        close(self.descriptor)


def _first_reads(
    upcoming: Iterator[npt.NDArray[np.int64]], shard_of: npt.NDArray[np.int32], seen: npt.NDArray[np.bool_]
) -> Iterator[int]:
    """Each shard that has not been `seen`, where a row of it comes up first."""
    for rows in upcoming:
        shards = shard_of[rows[rows >= 0]]
        for shard in dict.fromkeys(shards[~seen[shards]].tolist()):
            seen[shard] = True
            yield shard
        if seen.all():
            return


if hasattr(os, "pread"):
    _pread = os.pread
else:  # Windows
    _seeking = threading.Lock()

    def _pread(fd: int, length: int, offset: int, /) -> bytes:
        with _seeking:
            os.lseek(fd, offset, os.SEEK_SET)
            return os.read(fd, length)
