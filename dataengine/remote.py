"""Files behind a URL (S3, GCS, HDFS), read and written with patience: what fails for a moment is tried again."""

from __future__ import annotations

import functools
import os
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from typing import IO, Any, Literal, Self, TypeVar
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import pyarrow as pa
from pyarrow import fs

from dataengine.errors import DfxError, StoreError, unknown_name

Result = TypeVar("Result")

_CHUNK_BYTES = 8 << 20  # one request each: large enough for full speed, and no more is lost to a broken connection
_SCHEMES = ("s3", "gs", "gcs", "hdfs", "viewfs")  # not abfs: without credentials pyarrow ends the process
_S3_OPTIONS = ("endpoint_override", "region", "scheme")
_SECRET = re.compile(r"key|secret|token|passw|sig", re.IGNORECASE)
_MISSING = re.compile(r"NO_SUCH_KEY|NO_SUCH_BUCKET|NOT[_ ]FOUND|HTTP status 404", re.IGNORECASE)
_DENIED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE_DOES_NOT_MATCH|INVALID_CLIENT_TOKEN|EXPIRED_TOKEN|UNRECOGNIZED_CLIENT"
    r"|PERMISSION_DENIED|UNAUTHENTICATED|HTTP status 40[0135]|HTTP status 301"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a remote read or write is tried before it is given up."""

    tries: int = 7
    """Without a byte between them; half a minute in all, which outlasts throttling and a server's restart."""
    first_wait_s: float = 0.5
    """Before the second try. It doubles from try to try, and up to half of it is taken off at random, so that
    readers that were cut off together do not come back together."""
    most_wait_s: float = 20.0
    stall_s: float = 10.0
    """A connection to S3 that moves no byte for so long is given up."""
    connect_s: float = 5.0


PATIENCE = Patience()


class StoppedError(Exception):
    """The reader was told to stop before it had the bytes."""


def is_url(text: str) -> bool:
    """Whether a store reference is a URL rather than a path (`C:\\` is a path)."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) is not None


def refuse_credentials(url: str) -> None:
    """Raise StoreError where a URL carries a secret: it would get into run records. The text does not repeat it."""
    scheme, authority, options = _parts(url)
    user, at, _ = authority.rpartition("@")
    harmless = {"gs": user == "anonymous", "gcs": user == "anonymous", "s3": False}.get(scheme, ":" not in user)
    if (at and not harmless) or any(_SECRET.search(name) for name in options):
        raise StoreError(
            f"the {scheme}:// reference carries credentials, which would be written into records; take them out of it "
            "and set them in the environment (AWS_ACCESS_KEY_ID, AWS_PROFILE, GOOGLE_APPLICATION_CREDENTIALS, ...)"
        )


def _parts(url: str) -> tuple[str, str, dict[str, str]]:
    split = urlsplit(url, allow_fragments=False)
    return split.scheme.lower(), split.netloc, dict(parse_qsl(split.query))


@dataclass(frozen=True, slots=True)
class RemotePath:
    """A file or folder behind a URL, with what `pathlib.Path` has of use for a store. Without credentials."""

    base: str
    """scheme://bucket/path, escaped as in a URL, without a slash at the end."""
    query: str = ""
    """The options of the file system, in sorted order."""

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises StoreError where the URL carries credentials or names no folder."""
        refuse_credentials(url)
        base, _, query = url.partition("?")
        path = cls(base.rstrip("/"), urlencode(sorted(parse_qsl(query)), safe=":/"))
        if not path.name or path.base.count("/") < 3:
            raise StoreError(f"{path} names no folder; write s3://bucket/folder or the like")
        return path

    def __str__(self) -> str:
        return f"{self.base}?{self.query}" if self.query else self.base

    def __truediv__(self, name: str) -> Self:
        return replace(self, base=f"{self.base}/{name}")

    @property
    def name(self) -> str:
        """The last part."""
        return unquote(self.base.rpartition("/")[2])

    def resolve(self) -> Self:
        """Itself: a URL depends on no current folder."""
        return self

    def is_dir(self) -> bool:
        """Whether anything lies below it."""
        return bool(self._info().type == fs.FileType.Directory)

    def exists(self) -> bool:
        """Whether it is a file or a folder."""
        return bool(self._info().type != fs.FileType.NotFound)

    def _info(self) -> fs.FileInfo:
        return _patiently(self, lambda files, path: files.get_file_info(path))

    def read_bytes(self) -> bytes:
        """A small file in full. Raises FileNotFoundError; StoreError where it is denied or cannot be had."""
        return b"".join(self.chunks())

    def sizes(self) -> dict[str, int]:
        """Bytes of each file in the folder by name, from a listing. Raises like `read_bytes`."""
        listed = _patiently(self, lambda files, path: files.get_file_info(fs.FileSelector(path)))
        return {info.base_name: info.size for info in listed if info.type == fs.FileType.File}

    def all_sizes(self) -> dict[str, int]:
        """Bytes of each file at any depth below it, by relative path. Raises StoreError where it is denied."""

        def listing(files: fs.FileSystem, path: str) -> dict[str, int]:
            found = files.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
            return {info.path[len(path) + 1 :]: info.size for info in found if info.type == fs.FileType.File}

        return _patiently(self, listing)

    def chunks(self, start: int = 0, *, stop: threading.Event | None = None) -> Iterator[bytes]:
        """The bytes from `start` on, taken up again where a connection broke.

        Raises like `read_bytes`, and StoppedError soon after `stop` is set.
        """
        tries, at = _Tries(self, stop), start
        while True:
            try:
                files, path = self._located()
                with files.open_input_file(path) as stream:
                    size = stream.size()
                    while at < size:
                        data = stream.read_at(min(_CHUNK_BYTES, size - at), at)
                        if not data:
                            raise OSError(f"it ended after {at} of {size} bytes")
                        at += len(data)
                        tries.succeeded()
                        yield data
                    return
            except (OSError, pa.ArrowInvalid) as error:
                tries.failed(error)

    def modified(self) -> dict[str, int]:
        """When each file in the folder was last written, by name: nanoseconds of the server's clock."""
        listed = _patiently(self, lambda files, path: files.get_file_info(fs.FileSelector(path, allow_not_found=True)))
        return {info.base_name: info.mtime_ns for info in listed if info.type == fs.FileType.File}

    def write(self, source: IO[bytes]) -> None:
        """Write all of `source`, which can be sought, over whatever lies there, and see that it arrived in full length.

        An attempt that breaks off may leave a part under the final name: that a file is whole must be recorded
        elsewhere, afterwards. Raises StoreError where it is denied, or cannot be done for as long as patience lasts.
        """

        def attempt(files: fs.FileSystem, path: str) -> None:
            source.seek(0)
            with files.open_output_stream(path, compression=None) as stream:  # which it would guess from the name
                while data := source.read(_CHUNK_BYTES):
                    stream.write(data)
            size = files.get_file_info(path).size
            if size != source.tell():
                raise OSError(f"{size or 0:,} of {source.tell():,} bytes arrived")

        try:
            _patiently(self, attempt, writing=True)
        except FileNotFoundError:
            raise StoreError(f"{self} cannot be written: there is no such bucket; make it first") from None

    def write_bytes(self, data: bytes) -> None:
        """Write a small file. Raises like `write`."""
        self.write(BytesIO(data))

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Delete the file. Raises FileNotFoundError unless `missing_ok`; StoreError like `write`."""
        try:
            _patiently(self, lambda files, path: files.delete_file(path), writing=True)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def delete_folder(self) -> None:
        """Delete all that lies below it; nothing there is no error. Raises StoreError like `write`."""
        with suppress(FileNotFoundError):
            _patiently(self, lambda files, path: files.delete_dir(path), writing=True)

    def _located(self) -> tuple[fs.FileSystem, str]:
        split = urlsplit(self.base, allow_fragments=False)
        files, root = _file_system(split.scheme.lower(), split.netloc, self.query, PATIENCE)
        return files, f"{root}{unquote(split.path)}"


@functools.lru_cache(maxsize=64)
def _file_system(scheme: str, authority: str, query: str, patience: Patience) -> tuple[fs.FileSystem, str]:
    """The file system, and what its paths begin with before a URL's path."""
    options = dict(parse_qsl(query))
    if scheme not in _SCHEMES:
        raise StoreError(f"{scheme}://{authority} cannot be opened: stores are read from s3, gs, hdfs and file URLs")
    if scheme != "s3":
        if scheme in ("gs", "gcs"):  # which would try by itself for a quarter of an hour
            options.setdefault("retry_limit_seconds", str(patience.stall_s))
        url = f"{scheme}://{authority}/" + (f"?{urlencode(options)}" if options else "")
        try:
            files, root = fs.FileSystem.from_uri(url)
        except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError, ImportError) as error:
            raise StoreError(f"{scheme}://{authority} cannot be opened: {_reason(error)}") from None
        return files, root.rstrip("/")
    for name in options:
        if name not in _S3_OPTIONS:
            raise unknown_name("option in an S3 URL", name, _S3_OPTIONS)
    region = options.pop("region", None)
    if not (region or "endpoint_override" in options or {"AWS_REGION", "AWS_DEFAULT_REGION"} & os.environ.keys()):
        region = fs.resolve_s3_region(authority)
    once = fs.AwsStandardS3RetryStrategy(max_attempts=1)  # the tries are ours: for all file systems, with one account
    # Parts that are sent in the background would gather in memory where the network is slower than the encoder.
    limits: dict[str, Any] = {
        "request_timeout": patience.stall_s,
        "connect_timeout": patience.connect_s,
        "background_writes": False,
        "allow_delayed_open": True,  # small files are one request, and whole or not there
    }
    return fs.S3FileSystem(region=region, retry_strategy=once, **options, **limits), authority


def _patiently(path: RemotePath, attempt: Callable[[fs.FileSystem, str], Result], *, writing: bool = False) -> Result:
    tries = _Tries(path, None, "written" if writing else "read")
    while True:
        try:
            return attempt(*path._located())
        except (OSError, pa.ArrowInvalid) as error:
            tries.failed(error)


class _Tries:
    """Counts the failures without a byte between them, and waits after each."""

    def __init__(
        self, path: RemotePath, stop: threading.Event | None, what: Literal["read", "written"] = "read"
    ) -> None:
        self._path = path
        self._what = what
        self._stop = stop or threading.Event()
        self._failures = 0

    def succeeded(self) -> None:
        self._failures = 0
        if self._stop.is_set():
            raise StoppedError

    def failed(self, error: Exception) -> None:
        """Wait for the next try. Raises where trying again cannot help, or has not."""
        if isinstance(error, DfxError):
            raise error
        reason, whole = _reason(error), str(error)
        if isinstance(error, FileNotFoundError) or _MISSING.search(whole):
            raise FileNotFoundError(str(self._path)) from None
        if isinstance(error, PermissionError) or _DENIED.search(whole):
            raise StoreError(
                f"{self._path} may not be {self._what} ({reason}); check the URL and the credentials in the environment"
            ) from None
        self._failures += 1
        if self._failures >= PATIENCE.tries:
            raise StoreError(
                f"{self._path} cannot be {self._what}, tried {self._failures} times ({reason}); check the network and "
                "the server, and run the same command again"
            ) from None
        wait = min(PATIENCE.most_wait_s, PATIENCE.first_wait_s * 2 ** (self._failures - 1))
        if self._stop.wait(wait * random.uniform(0.5, 1.0)):
            raise StoppedError from None


def _reason(error: Exception) -> str:
    """What went wrong, in one line, without what the file systems' own libraries say before and after it."""
    lines = str(error).splitlines() or [type(error).__name__]
    said = re.split(r"; Details: | error_info=", lines[0])[0]
    return re.sub(r"^.*?(?=AWS Error )|^.*with a last message of (PerformWork\(\) - )?", "", said)[:200]
