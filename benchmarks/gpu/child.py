"""A command in a process of its own, with a limit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
GRACE_S = 20.0
"""Between asking a command to end and making it end."""
_ABSENT = re.compile(r"nvjpeg2k|nvjpeg2000|nvtiff", re.IGNORECASE)
"""What DALI says at every pipeline where libraries for formats that dfx does not store are not installed."""


def why_not(command: Sequence[str], log: Path, limit_s: float, environment: Mapping[str, str] | None = None) -> str:
    """Run a command from the repository's root, what it says into `log`: "" where it ended well, else why not.

    The command and all it started in its process group are ended where it takes longer than the limit. A log file and
    no pipe: a process that outlives its parent would keep a pipe open.
    """
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    seen = {**os.environ, "PYTHONPATH": path, **(environment or {})}
    with log.open("w") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=seen, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return f"ended after {limit_s:.0f} s; its last line: {last_line(log)}"
        finally:
            _end(process)
    return f"exit code {code}: {last_line(log)}" if code else ""


def said_in(log: Path) -> list[str]:
    """The lines of a log, without those of DALI's about libraries that dfx has no use for."""
    return [line for line in log.read_text(errors="replace").splitlines() if not _ABSENT.search(line)]


def last_line(log: Path) -> str:
    """The last line in a log that is not blank."""
    lines = [line.strip() for line in said_in(log) if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C: pytest then still tells what has failed so far
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    with suppress(ProcessLookupError):  # what it has left behind
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
