"""Local copies of remote files: bounded, shared by all processes of a machine, and checked before they count.

A copy is named by the sha256 of its content, so stores that share a file share its copy, and a file that has changed
is another one. Nothing has to be cleaned up after a process that was killed: locks end with it, and the next one goes
on with what it had downloaded.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from dataengine.errors import StoreError
from dataengine.remote import RemotePath, StoppedError

_COPY = re.compile(r"(?P<sha256>[0-9a-f]{64})(?:\.(?P<bytes>\d+)\.part)?")
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_POLL_S = 0.05  # how soon a reader that waits for another process's download sees its end


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: its length, and the sha256 (hex) of its bytes."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of copies. Safe for many threads and processes of one machine."""

    folder: Path
    limit: int
    """Bytes of all copies together, those that are being downloaded too. What is opened least recently goes first; a
    file that a reader has open can go too, and leaves the disk when the reader closes it."""

    def open(self, source: RemotePath, content: Content, *, stop: threading.Event | None = None) -> int:
        """A descriptor of the copy of `source`, downloaded where there is none; the caller closes it.

        Of many readers one downloads and the others wait. Raises FileNotFoundError where `source` is missing,
        StoreError where it cannot be had, is not `content`, or does not fit, and StoppedError soon after `stop` is set.
        """
        with self._writable():
            while True:
                held = self._held(content)
                if held is not None:
                    return held
                with self._locked(content.sha256, stop):
                    if not self._stands(content):
                        self._download(source, content, stop)

    def used_bytes(self) -> int:
        """Bytes that count against the limit. Raises StoreError where the folder cannot be written."""
        with self._writable(), self._locked("room", None):
            return sum(num_bytes for _, num_bytes, _ in self._copies())

    def _held(self, content: Content) -> int | None:
        path = self.folder / content.sha256
        try:
            held = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            return None
        if os.fstat(held).st_size != content.bytes:  # cut, by whatever: a copy gets its name with its last byte
            os.close(held)
            return None
        now = time.time_ns()  # the system's own stamp is as coarse as its timer
        with suppress(OSError):  # it may just have been evicted
            os.utime(path, ns=(now, now))
        return held

    def _stands(self, content: Content) -> bool:
        try:
            return (self.folder / content.sha256).stat().st_size == content.bytes
        except FileNotFoundError:
            return False

    def _download(self, source: RemotePath, content: Content, stop: threading.Event | None) -> None:
        part = self.folder / f"{content.sha256}.{content.bytes}.part"
        self._make_room(content, part, source, stop)
        found = ""
        for _ in range(2):  # a part that was left may be damaged, and so may what came over the line
            with part.open("r+b") as stream:
                digest = hashlib.sha256()
                start = _hash_rest(stream, digest)
                for data in source.chunks(start, stop=stop):
                    digest.update(data)
                    stream.write(data)
                    if stream.tell() > content.bytes:
                        break
                stream.flush()
                os.fsync(stream.fileno())
                num_bytes = stream.tell()
            if (num_bytes, digest.hexdigest()) == (content.bytes, content.sha256):
                with self._locked("room", stop):  # who counts must see either name, not both or neither
                    os.replace(part, self.folder / content.sha256)
                return
            found = "more" if num_bytes > content.bytes else "fewer" if num_bytes < content.bytes else "other"
            part.open("wb").close()
        part.unlink()
        raise StoreError(
            f"{source} holds {found} bytes than the store's tables say (sha256 {content.sha256[:12]}...); upload it "
            "again from a whole store"
        )

    def _make_room(self, content: Content, part: Path, source: RemotePath, stop: threading.Event | None) -> None:
        """Evict until the new copy fits, and leave its empty part, which holds the room."""
        if content.bytes > self.limit:
            raise StoreError(
                f"{source} has {readable(content.bytes)}, more than the cache in {self.folder} may hold "
                f"({readable(self.limit)}); raise DFX_CACHE_LIMIT"
            )
        pause = stop or threading.Event()
        while True:
            with self._locked("room", stop):
                copies = [copy for copy in sorted(self._copies()) if copy[2] != part]
                used = sum(num_bytes for _, num_bytes, _ in copies)
                for _, num_bytes, path in copies:
                    if used + content.bytes <= self.limit:
                        break
                    if self._evict(path):
                        used -= num_bytes
                if used + content.bytes <= self.limit:
                    part.touch()
                    return
            if pause.wait(_POLL_S):  # the rest is being downloaded; once it is there, it can go
                raise StoppedError

    def _copies(self) -> list[tuple[int, int, Path]]:
        """(when it was last opened, bytes, path) of each copy, whole or in part; a part counts in full.

        Exact for whoever holds the lock of the room.
        """
        copies = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if match := _COPY.fullmatch(entry.name):
                    with suppress(FileNotFoundError):
                        about = entry.stat()
                        num_bytes = int(match["bytes"]) if match["bytes"] else about.st_size
                        copies.append((about.st_mtime_ns, num_bytes, Path(entry.path)))
        return copies

    def _evict(self, path: Path) -> bool:
        """Remove a copy; False for a part that is being downloaded, and where the system keeps open files."""
        try:
            if path.suffix == ".part":
                lock = FileLock(self.folder / "locks" / path.name.partition(".")[0])
                if not _acquired(lock, timeout_s=0):
                    return False
                path.unlink(missing_ok=True)
                lock.release()
            else:
                path.unlink(missing_ok=True)
        except PermissionError:
            return False
        return True

    @contextmanager
    def _locked(self, name: str, stop: threading.Event | None) -> Iterator[None]:
        """Alone among processes and threads; the system lets go of a lock when its process ends."""
        lock = FileLock(self.folder / "locks" / name)
        while not _acquired(lock, timeout_s=20 * _POLL_S):
            if stop is not None and stop.is_set():
                raise StoppedError
        try:
            yield
        finally:
            lock.release()  # its file stays: where one is removed, waiters lock another than newcomers do

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            (self.folder / "locks").mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreError(
                    f"no space left for the cache in {self.folder}; free some, lower DFX_CACHE_LIMIT, or set DFX_CACHE "
                    "to a folder on another disk"
                ) from None
            if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.ENOENT):
                raise StoreError(
                    f"the cache in {self.folder} cannot be written ({error.strerror}); set DFX_CACHE to another folder"
                ) from None
            raise


def _acquired(lock: FileLock, *, timeout_s: float) -> bool:
    try:
        lock.acquire(timeout=timeout_s, poll_interval=_POLL_S)
    except Timeout:
        return False
    return True


def _hash_rest(stream: BinaryIO, digest: hashlib._Hash) -> int:
    """Hash what a part holds already; where the next byte goes."""
    while data := stream.read(1 << 20):
        digest.update(data)
    return stream.tell()


def user_cache() -> Cache:
    """The cache that the environment names: DFX_CACHE (a folder) and DFX_CACHE_LIMIT (such as 50GB).

    Without them `dfx` in the user's cache folder, and half of what its disk would have free without the cache, so
    that the limit stays what it is while the cache fills. Raises StoreError for a limit that is no size.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or "~/.cache"
    folder = Path(os.environ.get("DFX_CACHE") or Path(home) / "dfx").expanduser().absolute()
    return _cache(folder, os.environ.get("DFX_CACHE_LIMIT") or "")


@functools.lru_cache
def _cache(folder: Path, limit: str) -> Cache:
    if limit:
        return Cache(folder, parse_bytes(limit))
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    used = sum(num_bytes for _, num_bytes, _ in Cache(folder, 0)._copies()) if there == folder else 0
    return Cache(folder, (shutil.disk_usage(there).free + used) // 2)


def parse_bytes(text: str) -> int:
    """`50GB`, `1.5 TB` or `512MiB` in bytes. Raises StoreError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]I?B)?", text.strip().upper())
    if not match:
        raise StoreError(f"DFX_CACHE_LIMIT is '{text}', which is no size; write it like 50GB or 512MiB")
    return int(float(match[1]) * _UNITS[match[2] or ""])


def readable(num_bytes: int) -> str:
    """A size as `parse_bytes` reads it, rounded up to three digits: `12.4GB`."""
    unit = next((name for name in ("TB", "GB", "MB", "KB") if num_bytes >= _UNITS[name]), "")
    if not unit:
        return f"{num_bytes} bytes"
    step = 10 ** max(0, len(str(num_bytes)) - 3)
    return f"{-(-num_bytes // step) * step / _UNITS[unit]:.4g}{unit}"
