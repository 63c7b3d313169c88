"""Where the files of a store are finished: in the store, or here, to be uploaded, where it lies behind a URL."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dataengine.place import Place
from dataengine.remote import RemotePath
from dataengine.whole import PARTS


@contextmanager
def working_folder(out: Place) -> Iterator[Path]:
    """A folder of this machine, with PARTS in it, to finish files of the store `out` in.

    Where the store lies here, it is the store. Otherwise it is a new folder in that of temporary files (TMPDIR), gone
    at the end: `publish` brings its files to their place.
    """
    if isinstance(out, Path):
        yield out
        return
    with tempfile.TemporaryDirectory(prefix=_prefix(out), ignore_cleanup_errors=True) as folder:
        (Path(folder) / PARTS).mkdir()
        yield Path(folder)


def publish(folder: Path, out: Place, names: Iterable[str]) -> None:
    """Bring finished files from their working folder to the store, one after the other, each whole and in full length.

    Where the store lies here, they are in their place already. Raises StoreError where one cannot be written.
    """
    if isinstance(out, RemotePath):
        for name in names:
            with (folder / name).open("rb") as stream:
                (out / name).write(stream)


def clear_working_folders(out: Place) -> None:
    """Remove what processes of this machine that were killed have left; for whoever holds the store alone."""
    if isinstance(out, Path):
        for stale in (out / PARTS).glob("tmp-*"):
            stale.unlink(missing_ok=True)
    else:
        for stale in Path(tempfile.gettempdir()).glob(f"{_prefix(out)}*"):
            shutil.rmtree(stale, ignore_errors=True)


def _prefix(out: RemotePath) -> str:
    """Of the names of a store's working folders, so that what a killed run has left can be found again."""
    return f"dfx-{hashlib.sha256(str(out).encode()).hexdigest()[:16]}-"
