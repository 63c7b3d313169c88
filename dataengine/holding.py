"""The folder that a run writes a store into: made, held alone, and tidied up before and after."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dataengine.errors import StoreError
from dataengine.lease import alone
from dataengine.place import Place
from dataengine.publish import clear_working_folders
from dataengine.store import DATASET_FILE
from dataengine.whole import PARTS, disk_full_is_clear


@contextmanager
def held(out: Place) -> Iterator[Callable[[], None]]:
    """Hold the store `out` alone, here made where it is missing; what killed runs left half-written is removed.

    Yields a check to be called now and then: it raises StoreError once the store may no longer be held. Raises
    StoreError where another run holds it or it cannot be made.
    """
    if isinstance(out, Path):
        _make(out)
    with alone(out) as check:
        clear_working_folders(out)
        try:
            yield check
        finally:
            clear_working_folders(out)
            if (out / DATASET_FILE).exists():  # while it is held: another run may need PARTS as soon as it is not
                if isinstance(out, Path):
                    shutil.rmtree(out / PARTS, ignore_errors=True)
                else:
                    (out / PARTS).delete_folder()


def _make(out: Path) -> None:
    with disk_full_is_clear(out):
        try:
            (out / PARTS).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise StoreError(f"{out} is a file; choose another --out") from None
        except FileNotFoundError as error:
            raise StoreError(f"{out} cannot be made ({error.strerror}); choose another --out") from None
