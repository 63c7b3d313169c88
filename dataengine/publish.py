"""Where the files of a store are finished, before each of them takes its place there."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dataengine.place import Place
from dataengine.remote import RemotePath
from dataengine.whole import PARTS, disk_full_is_clear


@contextmanager
def working_folder(out: Place) -> Iterator[Path]:
    """A new folder of this machine, with PARTS in it, to finish files of the store `out` in; gone at the end.

    It lies in the PARTS of a store that lies here, else in the folder of temporary files (TMPDIR). `publish` brings its
    files to their place. Raises StoreError where the disk is full or cannot be written.
    """
    here = isinstance(out, Path)
    with (
        disk_full_is_clear(out if isinstance(out, Path) else Path(tempfile.gettempdir())),
        tempfile.TemporaryDirectory(
            prefix=_prefix(out), dir=str(out / PARTS) if here else None, ignore_cleanup_errors=True
        ) as folder,
    ):
        (Path(folder) / PARTS).mkdir()
        yield Path(folder)


def publish(folder: Path, out: Place, names: Iterable[str]) -> None:
    """Bring finished files from their working folder to the store, one after the other, each whole and in full length.

    Raises StoreError where one cannot be written behind a URL.
    """
    for name in names:
        if isinstance(out, RemotePath):
            with (folder / name).open("rb") as stream:
                (out / name).write(stream)
        else:
            os.replace(folder / name, out / name)


def clear_working_folders(out: Place) -> None:
    """Remove what processes of this machine that were killed have left; for whoever holds the store alone."""
    for stale in (out / PARTS if isinstance(out, Path) else Path(tempfile.gettempdir())).glob(f"{_prefix(out)}*"):
        if stale.is_dir():
            shutil.rmtree(stale, ignore_errors=True)
        else:
            stale.unlink(missing_ok=True)


def _prefix(out: Place) -> str:
    """Of the names of a store's working folders, so that what a killed run has left can be found again."""
    if isinstance(out, Path):
        return "tmp-"
    return f"dfx-{hashlib.sha256(str(out).encode()).hexdigest()[:16]}-"
