"""Files of a generated tree: a root that is claimed, whole files, made in spawned processes."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from dataengine.errors import DfxError
from dataengine.miniature import FINISHED, MARKER
from dataengine.processes import begin_worker, interrupts_held

Task = TypeVar("Task")


def claim(root: Path, wanted: Mapping[str, Any]) -> None:
    """Mark the root as this dataset's, unfinished, or raise DfxError where it is something else's.

    The mark says what the tree is made with, so that it is completed with nothing else.
    """
    marker = root / MARKER
    if marker.is_file():
        try:
            there = json.loads(marker.read_text())
        except ValueError:
            raise DfxError(f"{marker} is damaged; remove {root} or choose another --root") from None
        odd = [key for key in wanted if not isinstance(there, dict) or there.get(key) != wanted[key]]
        if odd:
            held = there.get(odd[0]) if isinstance(there, dict) else None
            raise DfxError(
                f"{root} holds a miniature dataset made with {odd[0]} {held}, not {wanted[odd[0]]}; "
                "choose another --root or remove it"
            )
        return
    if root.exists() and not root.is_dir():
        raise DfxError(f"{root} is a file; give a folder with --root")
    if root.is_dir() and (other := next((path.name for path in sorted(root.iterdir())), None)):
        raise DfxError(f"{root} holds other files ({other}); give a new or empty folder with --root")
    _mark(root, wanted, finished=False)


def finish(root: Path, wanted: Mapping[str, Any]) -> None:
    """Mark a claimed root as finished."""
    _mark(root, wanted, finished=True)


def _mark(root: Path, wanted: Mapping[str, Any], *, finished: bool) -> None:
    write(root / MARKER, (json.dumps({**wanted, FINISHED: finished}, indent=2) + "\n").encode())


def write(path: Path, data: bytes) -> None:
    """The whole file or none of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_folder(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """A folder with all of the files or none of it; they are given as (name, bytes)."""
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, data in files:
        (part / name).write_bytes(data)
    os.replace(part, path)


def num_bytes(path: Path) -> int:
    """Of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in (path.iterdir() if path.is_dir() else (path,)))


def made(
    tasks: Sequence[Task], make: Callable[[Task], None], root: Path, what: str, workers: int | None
) -> Iterator[Task]:
    """Make the tasks in any order; each is given back once it is done. `workers` 0: in this process, None: all cores.

    `what` is made for `root`: it names them where a process is killed, which raises DfxError.
    """
    count = min(len(tasks), (os.cpu_count() or 1) if workers is None else workers)
    if count < 1:
        for task in tasks:
            make(task)
            yield task
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=begin_worker) as pool:
        with interrupts_held():  # the first task given starts the processes
            futures = {pool.submit(make, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        except BrokenProcessPool:
            raise DfxError(
                f"a process that made {what} for {root} was killed (out of memory?); "
                "run the same command with fewer --workers, it goes on where it stood"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
