"""All that is measured on a GPU, one script after the other, each in a process of its own and with a limit of its own.

First the tests that need a GPU (tests), then correctness, loader, training, sharing, video and demo. One that fails is
named with its last line and the others go on; the exit status is 1 if any failed.

python -m benchmarks.gpu [--device cpu] [--only tests,video] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from benchmarks.gpu.child import ROOT, why_not

TESTS = "tests"
LIMITS = {
    TESTS: 150.0,
    "correctness": 120.0,
    "loader": 390.0,
    "training": 330.0,
    "sharing": 210.0,
    "video": 300.0,
    "demo": 150.0,
}
"""Seconds after which a script begins no further row: less than half an hour for all of them."""
SMALL = {
    "correctness": "--images 2 --side 64",
    "loader": "--images 64 --size 32 --batch 8 --rounds 1 --seconds 0.05",
    "training": "--models test_resnet --size 32 --batch 8 --images 64 --steps 2 --rounds 1",
    "sharing": "--models test_resnet --size 32 --batch 8 --images 64 --counts 1,2 --seconds 1",
}
"""Options that make a script small enough to be tried on a CPU; the others are small there by themselves."""
OVERTIME_S = 150.0
"""What the row in hand may take beyond that, before the script is ended."""


def gpu_tests(folder: Path) -> list[Path]:
    """The test files with tests for a GPU, by the mark or by a name that stands for it: others may not even import."""
    texts = {path: path.read_text() for path in folder.rglob("*.py")}
    names = {name for text in texts.values() for name in re.findall(r"^(\w+) = .*mark\.gpu", text, re.MULTILINE)}
    marked = re.compile("|".join([r"mark\.gpu", *(rf"\b{name}\b" for name in names)]))
    return sorted(path for path, text in texts.items() if path.name.startswith("test_") and marked.search(text))


def command_of(name: str, device: str, out: Path | None) -> list[str]:
    """The command line of one of LIMITS."""
    if name == TESTS:
        files = gpu_tests(ROOT / "tests")
        options = ["-m", "gpu", "-q", "-o", "addopts=--import-mode=importlib", "--continue-on-collection-errors"]
        return [sys.executable, "-m", "pytest", *options, *map(str, files)]
    words = [sys.executable, "-m", f"benchmarks.gpu.{name}", "--device", device, "--limit", f"{LIMITS[name]:g}"]
    small = SMALL.get(name, "").split() if device == "cpu" else []
    return [*words, *small, *(["--out", str(out)] if out else [])]


def run(names: list[str], device: str, out: Path | None) -> dict[str, str]:
    """What each script said and took is shown as it ends; returns why each that failed did."""
    console, failed, ran = Console(width=150), {}, 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            console.rule(name)
            if name == TESTS and device == "cpu":
                console.print("not run: its tests need a GPU")
                continue
            ran += 1
            log, begun = Path(folder) / f"{name}.log", time.monotonic()
            why = why_not(command_of(name, device, out), log, LIMITS[name] + OVERTIME_S)
            console.print(log.read_text(errors="replace"), markup=False, highlight=False, end="")
            console.print(f"{name}: {time.monotonic() - begun:.0f} s", highlight=False)
            if why:
                failed[name] = why
    console.rule()
    for name, why in failed.items():
        console.print(f"{name} failed: {why}", markup=False, highlight=False)
    console.print(f"{ran - len(failed)} of {ran} ended well", highlight=False)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the scripts (default: cuda)")
    parser.add_argument("--only", default=",".join(LIMITS), help="names with commas (default: all, %(default)s)")
    parser.add_argument("--out", type=Path, help="folder for the results (default on a GPU: benchmarks/results)")
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := [name for name in names if name not in LIMITS]:
        parser.error(f"there is no script '{unknown[0]}'; give some of: {','.join(LIMITS)}")
    sys.exit(1 if run(names, options.device, options.out and options.out.absolute()) else 0)


if __name__ == "__main__":
    main()
