"""One run at a time on a store: a lock where it lies here, a lease beside its files where it lies behind a URL.

An object store has no locks. A run that writes there leaves a small object, `.parts/lease-*.json`, and writes it anew
as long as it lives; one that has not been written for STALE_S no longer counts. Whoever begins writes its own and only
then looks for others, so of two that begin together at least one is refused. Times are the server's: the clocks of the
machines do not matter. It is best effort: a run that is cut off from the server for longer than STALE_S, and comes
back, may find another at work. It stops as soon as it notices; since shards are written to the same bytes by whoever
writes them, what it did meanwhile does no harm.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from filelock import FileLock, Timeout

from dataengine.errors import StoreError
from dataengine.place import Place
from dataengine.remote import RemotePath
from dataengine.whole import PARTS

STALE_S = 180.0
"""Without being written anew, after which a lease no longer counts."""

REFRESH_S = 30.0


@contextmanager
def alone(out: Place) -> Iterator[Callable[[], None]]:
    """Hold the store `out` alone, whose PARTS must exist where it lies here.

    Yields a check to be called now and then: it raises StoreError once the store may no longer be held. Raises
    StoreError where another run holds it.
    """
    if isinstance(out, RemotePath):
        with _leased(out) as check:
            yield check
        return
    lock = FileLock(out / PARTS / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StoreError(f"another run is writing {out}; wait for it, or choose another --out") from None
    try:
        yield lambda: None
    finally:
        lock.release()


@contextmanager
def _leased(out: RemotePath) -> Iterator[Callable[[], None]]:
    own = out / PARTS / f"lease-{secrets.token_hex(6)}.json"
    own.write_bytes(_holder())
    ended = threading.Event()
    try:
        _refuse_others(out, own)
        written = time.monotonic()

        def keep() -> None:
            nonlocal written
            while not ended.wait(REFRESH_S):
                with suppress(StoreError):  # tried again soon; `check` says when it has been too long
                    own.write_bytes(_holder())
                    written = time.monotonic()

        def check() -> None:
            if time.monotonic() - written > STALE_S:
                raise StoreError(
                    f"{out} could not be reached for {STALE_S:.0f} s, so that another run may have taken it over; run "
                    "the same command again, finished shards are kept"
                )

        keeper = threading.Thread(target=keep, name="dfx-lease", daemon=True)
        keeper.start()
        try:
            yield check
        finally:
            ended.set()
            keeper.join()
    finally:
        with suppress(StoreError):  # it goes stale by itself
            own.unlink(missing_ok=True)


def _refuse_others(out: RemotePath, own: RemotePath) -> None:
    """Raise where a run that may be alive holds the store; remove the leases of those that are not."""
    there = {name: at for name, at in (out / PARTS).modified().items() if name.startswith("lease-")}
    now = there.pop(own.name, None)
    if now is None:
        raise StoreError(f"another run has just finished {out}, or it is being deleted; run the same command again")
    for name, at in there.items():
        other, age_s = out / PARTS / name, (now - at) / 1e9
        holder = _read(other)
        if holder is None:
            continue
        if age_s > STALE_S or _ended_here(holder):
            other.unlink(missing_ok=True)
            continue
        raise StoreError(
            f"another run is writing {out} (process {holder.get('pid')} on {holder.get('host')}, last heard of "
            f"{max(age_s, 0):.0f} s ago); wait for it, or choose another --out (if it was killed, its hold ends "
            f"{STALE_S:.0f} s after it was last heard of)"
        )


def _holder() -> bytes:
    return json.dumps({"host": socket.gethostname(), "processes": _processes(), "pid": os.getpid()}).encode()


def _read(lease: RemotePath) -> dict[str, Any] | None:
    """Who holds it; None where it has gone meanwhile."""
    try:
        holder = json.loads(lease.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _ended_here(holder: dict[str, Any]) -> bool:
    """Whether it was a process of this machine that no longer runs: nobody has to wait for its lease to go stale."""
    if (holder.get("host"), holder.get("processes")) != (socket.gethostname(), _processes()):
        return False
    pid = holder.get("pid")
    if not isinstance(pid, int) or pid <= 0 or os.name == "nt":  # where asking a process would end it
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _processes() -> str:
    """Which process numbers count here: containers on one machine may share its name, and number their own."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
