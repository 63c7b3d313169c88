"""However a loop over the loader ends, no thread and no process is left behind, and the interpreter exits by itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dataengine.store import Store
from tests.dataengine.made import BACKENDS, on

ROOT = Path(__file__).parents[2]

PROGRAM = """
import gc, json, os, signal, sys, threading, time
import numpy as np
from dataengine.loader import Loader
from dataengine.selection import select

store, chosen, ending = sys.argv[1:]
rows = select([store])

def open_loader():
    return Loader(rows, batch=8, mode="train", size=16, threads=2, **json.loads(chosen))

def broken_out():
    for batch in (loader := open_loader()):
        break
    return loader

def raised():
    loader = open_loader()
    try:
        for batch in loader:
            raise KeyError
    except KeyError:
        return loader

def read_in_part():
    next(stream := iter(loader := open_loader()))
    loader.kept = stream
    return loader

def never_read():
    return open_loader()

WAYS = (broken_out, raised, read_in_part, never_read)

def children(task):
    try:
        return open(f"/proc/self/task/{task}/children").read()
    except FileNotFoundError:  # the thread has just ended
        return ""

def alive():
    tasks = os.listdir("/proc/self/task")
    return [len(tasks), "".join(map(children, tasks))]

def settled(expected):
    until = time.monotonic() + 30  # a thread that has ended stays listed for a moment
    while ((found := alive())[0] > expected[0] or found[1]) and time.monotonic() < until:
        gc.collect()
    return found

if ending == "counted":
    def closed():
        for way in WAYS:
            way().close()
    def forgotten():
        for way in WAYS:
            way()
    closed()  # libraries start threads of their own, once
    forgotten()
    gc.collect()
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(30)
    counts = [alive()]
    for leave in (closed, forgotten, closed):
        leave()
        counts.append(settled(counts[0]))
    print(json.dumps(counts))
else:
    left = [way() for way in WAYS]
    for batch in (loader := open_loader()):
        if ending == "error":
            raise RuntimeError("in the loop")
        if ending == "interrupt":
            signal.raise_signal(signal.SIGINT)
"""


def run(store: Store, backend: str, ending: str) -> subprocess.CompletedProcess[str]:
    """A program that leaves loaders in every way; one that hangs is killed, and fails the test."""
    command = [sys.executable, "-c", PROGRAM, str(store.root), json.dumps(on(backend)), ending]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=Path(__file__).parents[2]
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="native threads are counted in /proc")
def test_a_loader_that_is_closed_or_forgotten_leaves_no_thread_and_no_process(whole_store: Store, backend: str) -> None:
    done = run(whole_store, backend, "counted")
    assert done.returncode == 0, done.stderr
    before, *after = json.loads(done.stdout)
    assert all(threads <= before[0] for threads, _ in after)
    assert all(children == "" for _, children in (before, *after))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        ("nothing more", 0, ""),
        ("error", 1, "RuntimeError: in the loop"),
        ("interrupt", -signal.SIGINT, "KeyboardInterrupt"),
    ],
)
def test_the_interpreter_exits_whatever_ends_the_loop(
    whole_store: Store, backend: str, ending: str, code: int, said: str
) -> None:
    done = run(whole_store, backend, ending)
    assert done.returncode == code, done.stderr
    assert (done.stderr.splitlines() or [""])[-1] == said
