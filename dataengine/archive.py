"""A .tar or .tar.gz from strangers, read in one pass and never unpacked: what it holds, its members' bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from dataengine.errors import DfxError, MediaError
from dataengine.place import Place

MAX_MEMBER_BYTES = 256 << 20
"""Of one file in an archive; a header may claim any size."""
MAX_MEMBERS = 1_000_000
"""Of one archive; the largest known sets of frames have some thousands."""
MAX_RATIO = 100
"""Of unpacked bytes to packed ones: images hardly shrink, a bomb shrinks a thousandfold."""

_MAX_HEADER_BYTES = 1 << 20  # of a long name or of extended attributes, which tarfile holds in memory
_ANY_RATIO_BYTES = 16 << 20  # below so many unpacked bytes the ratio says nothing
_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Contents:
    """What lies in an archive."""

    files: tuple[str, ...]
    """Regular files by their distinct names, in the archive's order."""
    left_out: tuple[str, ...]
    """What is never read, with the reason: "a/b (a link)"."""


def contents(root: Place, archive: str) -> Contents:
    """List an archive; of a local one that is not compressed, the headers alone are read.

    Raises MediaError where it is missing, damaged or cut off anywhere, or claims absurd sizes or numbers.
    """
    files: dict[str, None] = {}
    left_out = []
    with _opened(root, archive) as tar:
        for member in tar:
            name = _name(member)
            if reason := "twice in the archive" if name in files else _why_not(member):
                left_out.append(f"{_shown(name)} ({reason})")
            elif not member.isdir():
                files[name] = None
        tar.check_rest()
    return Contents(tuple(files), tuple(left_out))


def members(root: Place, archive: str, wanted: frozenset[str]) -> Iterator[tuple[str, bytes]]:
    """The wanted files of an archive as (name, bytes), in its order, in one pass; see `contents` for what is raised."""
    with _opened(root, archive) as tar:
        for member in tar:
            if _name(member) in wanted and not member.isdir() and not _why_not(member):
                held = tar.extractfile(member)
                yield _name(member), held.read() if held else b""


def _name(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix("./")


def _shown(text: str) -> str:
    """A stranger's text as part of one line."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[:200])


def _why_not(member: tarfile.TarInfo) -> str:
    """Why a member is never read; "" where it may be, and for a folder."""
    name = _name(member)
    if name.startswith("/") or ".." in name.split("/"):
        return "it climbs out of the archive"
    if member.issym() or member.islnk():
        return "a link"
    if not (member.isreg() or member.isdir()):
        return "a device or the like"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    return ""


class _Header(tarfile.TarInfo):
    """A header that is believed only so far. By itself, tarfile takes a damaged one for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        try:
            member = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):  # the mark of the end
                raise
            raise tarfile.ReadError(str(error)) from None
        _refuse_size(member, _MAX_HEADER_BYTES if member.type in _HEADERS else MAX_MEMBER_BYTES)
        return member


def _refuse_size(member: tarfile.TarInfo, limit: int) -> None:
    if not 0 <= member.size <= limit:
        raise tarfile.ReadError(f"{_name(member)[:100]} claims {member.size:,} bytes")


class _Archive:
    """The members of a tar, within bounds."""

    def __init__(self, tar: tarfile.TarFile, packed: _Bounded | None = None) -> None:
        self._tar, self._packed = tar, packed
        self.extractfile = tar.extractfile

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        for number, member in enumerate(self._tar, start=1):
            if number > MAX_MEMBERS:
                raise tarfile.ReadError(f"more than {MAX_MEMBERS:,} members")
            _refuse_size(member, MAX_MEMBER_BYTES)  # again: an extended or sparse header overrides the size
            yield member

    def check_rest(self) -> None:
        """Read a compressed archive to its end, where its checksum stands."""
        while self._packed and self._packed.read(1 << 20):
            pass


@contextmanager
def _opened(root: Place, archive: str) -> Iterator[_Archive]:
    """An archive, compressed or not by its first bytes: WildDeepfake's plain ones are called .tar.gz too."""
    name = str(root / archive)
    try:
        with _packed(root, archive) as (raw, consumed):
            if raw.peek(2)[:2] == b"\x1f\x8b":
                bounded = _Bounded(gzip.GzipFile(fileobj=raw), consumed)
                with tarfile.open(fileobj=cast(IO[bytes], bounded), mode="r|", tarinfo=_Header) as tar:
                    yield _Archive(tar, bounded)
            elif raw.seekable():
                with tarfile.open(fileobj=raw, mode="r:", tarinfo=_Header) as tar:
                    yield _Archive(tar)
            else:
                with tarfile.open(fileobj=raw, mode="r|", tarinfo=_Header) as tar:
                    yield _Archive(tar)
    except FileNotFoundError:
        raise MediaError(f"{name}: not there any more; restore the file") from None
    except DfxError:
        raise
    except _DAMAGE as error:
        said = _shown(str(error)) or "it ends early"
        raise MediaError(f"{name}: damaged archive ({said}); get it again") from None
    except OSError as error:
        raise MediaError(f"{name}: {error.strerror or error}; check the file and its permissions") from None


@contextmanager
def _packed(root: Place, archive: str) -> Iterator[tuple[io.BufferedReader[Any], Callable[[], int]]]:
    """The archive's own bytes, and how many of them were taken so far."""
    if isinstance(root, Path):
        with (root / archive).open("rb") as raw:
            yield raw, raw.tell
    else:
        chunks = _Chunks((root / archive).chunks())
        with io.BufferedReader(chunks, 1 << 20) as raw:
            yield raw, lambda: chunks.given


class _Bounded:
    """Unpacked bytes as a stream that ends a bomb: more than MAX_RATIO times the packed ones."""

    def __init__(self, stream: gzip.GzipFile, packed: Callable[[], int]) -> None:
        self._stream, self._packed, self._given = stream, packed, 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read1(size)  # of a cut-off one, `read` would lose the last bytes
        self._given += len(data)
        if self._given > max(_ANY_RATIO_BYTES, MAX_RATIO * self._packed()):
            raise tarfile.ReadError(f"it unpacks to more than {MAX_RATIO} times its own size")
        return data


class _Chunks(io.RawIOBase):
    """Bytes that arrive in chunks, as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            data = next(self._chunks, None)
            if data is None:
                return 0
            self._rest = memoryview(data)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        self.given += count
        return count
