"""The files of a clip, opened wherever they lie: on a disk, behind a URL, in an archive that is never unpacked."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self, cast

from dataengine.errors import DfxError, MediaError
from dataengine.place import Place, is_remote
from dataengine.records import Clip
from dataengine.video import ImageFile, checked_image, read_image

MAX_MEMBER_BYTES = 256 << 20
"""Of one image in an archive; a header may claim any size."""

_NAME_BYTES = 1 << 20
_NAMING = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
"""Headers whose content names the member that follows."""


@contextmanager
def video_file(root: Place, path: str) -> Iterator[Path]:
    """A video below `root` as a local file: itself, or a temporary copy of a remote one.

    Raises MediaError where a remote one is missing, StoreError where it cannot be had.
    """
    if not is_remote(root):
        assert isinstance(root, Path)
        yield root / path
        return
    with tempfile.NamedTemporaryFile(suffix=Path(path).suffix) as copy:
        try:
            for data in (root / path).chunks():
                copy.write(data)
        except FileNotFoundError:
            raise MediaError(f"{root / path}: not there any more; restore the file") from None
        copy.flush()
        yield Path(copy.name)


def images(root: Place, clip: Clip) -> Iterator[tuple[int, ImageFile | MediaError]]:
    """The images of a clip as (position in `clip.paths`, image), in order; an error in the place of each that cannot
    be read.

    An archive is read once from its start, no further than needed; its members are held as they are encoded.
    """
    if clip.archive:
        yield from sorted(_members(root, clip), key=lambda image: image[0])
        return
    for position, path in enumerate(clip.paths):
        try:
            yield position, _image(root, path)
        except MediaError as error:
            yield position, error


def _image(root: Place, path: str) -> ImageFile:
    if isinstance(root, Path):
        return read_image(root / path)
    try:
        return checked_image((root / path).read_bytes(), str(root / path))
    except FileNotFoundError:
        raise MediaError(f"{root / path}: not there any more; restore the file") from None


def _members(root: Place, clip: Clip) -> Iterator[tuple[int, ImageFile | MediaError]]:
    wanted = {path: position for position, path in enumerate(clip.paths)}
    name = str(root / clip.archive)
    reason = "not in the archive any more; restore it"
    try:
        for path, data in members(root, clip.archive, frozenset(wanted)):
            position = wanted.pop(path, None)
            if position is not None:  # a tar may hold a name twice; the first counts
                try:
                    yield position, checked_image(data, f"{name}/{path}")
                except MediaError as error:
                    yield position, error
            if not wanted:
                return
    except MediaError as error:
        reason = str(error).removeprefix(f"{name}: ")
    for path, position in wanted.items():
        yield position, MediaError(f"{name}/{path}: {reason}")


def members(root: Place, archive: str, wanted: frozenset[str] | None = None) -> Iterator[tuple[str, bytes]]:
    """The regular files in a .tar or .tar.gz as (name, bytes), in one pass, nothing written to disk.

    With `wanted`, those alone; without, every one with b"" for its bytes. Links, devices and names that climb out of
    the archive are left out. Raises MediaError where the archive is missing, damaged, or a member is absurdly large.
    """
    name = str(root / archive)
    try:
        with (
            _opened(root, archive) as stream,
            tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member, encoding="utf-8") as tar,
        ):
            for member in tar:
                path = member.name.removeprefix("./")
                if not member.isreg() or path.startswith("/") or ".." in path.split("/"):
                    continue
                if member.size > MAX_MEMBER_BYTES:
                    raise MediaError(f"{name}: {path} claims {member.size:,} bytes; replace the archive")
                if wanted is None:
                    yield path, b""
                elif path in wanted:
                    held = tar.extractfile(member)
                    yield path, held.read() if held else b""
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise MediaError(f"{name}: damaged archive ({str(error)[:80] or 'it ends early'}); get it again") from None
    except FileNotFoundError:
        raise MediaError(f"{name}: not there any more; restore the file") from None
    except DfxError:
        raise
    except OSError as error:
        raise MediaError(f"{name}: {error.strerror or error}; check the file and its permissions") from None


class _Member(tarfile.TarInfo):
    """A member as strangers may have written it: `TarFile` would take a damaged header in the middle for the archive's
    end, and read a name of any length into memory."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _NAMING and self.size > _NAME_BYTES:
            raise tarfile.ReadError(f"a name of {self.size:,} bytes")
        return super()._proc_member(tar)  # type: ignore[misc, no-any-return]


@contextmanager
def _opened(root: Place, archive: str) -> Iterator[IO[bytes]]:
    if isinstance(root, Path):
        raw: IO[bytes] = (root / archive).open("rb")
    else:
        raw = io.BufferedReader(_Chunks((root / archive).chunks()), 1 << 20)
    with raw:
        yield cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if archive.lower().endswith(("gz", "tgz")) else raw


class _Chunks(io.RawIOBase):
    """Bytes that arrive in chunks, as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

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
        return count
