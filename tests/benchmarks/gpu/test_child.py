"""A command in a process of its own, with a limit."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks.gpu.child import ROOT, why_not


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_one_that_ends_well_gives_no_reason(tmp_path: Path) -> None:
    code = "import os; print(os.environ['GREETING'])"
    assert why_not(python(code), tmp_path / "log", 60, {"GREETING": "good day"}) == ""
    assert (tmp_path / "log").read_text() == "good day\n"


def test_what_is_on_the_path_stays_on_it_behind_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert why_not(python("import sys; print(*sys.path[1:3])"), tmp_path / "log", 60) == ""
    assert (tmp_path / "log").read_text().split() == [str(ROOT), str(tmp_path)]


def test_one_that_fails_is_told_by_its_last_line(tmp_path: Path) -> None:
    why = why_not(python("raise ValueError('no such thing')"), tmp_path / "log", 60)
    assert why == "exit code 1: ValueError: no such thing"


def test_what_dali_says_of_absent_formats_is_no_reason(tmp_path: Path) -> None:
    noise = "[nvtiff_ext] Failed to load nvTIFF library or retrieve version."
    why = why_not(python(f"print('the reason'); print({noise!r}); raise SystemExit(3)"), tmp_path / "log", 60)
    assert why == "exit code 3: the reason"


def test_one_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    code = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open({str(tmp_path / "pid")!r}, "w") as file:
    file.write(str(child.pid))
print("waiting", flush=True)
time.sleep(600)
"""
    why = why_not(python(code), tmp_path / "log", 3)
    assert why == "ended after 3 s; its last line: waiting"
    assert gone(int((tmp_path / "pid").read_text()))


def gone(pid: int) -> bool:
    """Whether a process ends within seconds; one that nobody has waited for has ended too."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False
