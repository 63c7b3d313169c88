"""All that is measured on a GPU, one script after the other, each in a process of its own and with a limit of its own.

First the tests that need a GPU (tests), then correctness, loader, training, sharing, video and demo. One that fails is
named with its last line and the others go on; the exit status is 1 if any failed. Nothing runs on after `--within`
seconds. With `--out` what each has said is kept too, as FOLDER/NAME.log.

python -m benchmarks.gpu [--device cpu] [--only tests,video] [--within 1680] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.gpu.child import ROOT, said_in, why_not

TESTS = "tests"


@dataclass(frozen=True, slots=True)
class Allowance:
    """How long a script may take, in seconds."""

    limit_s: float
    """After this it begins no further row."""
    row_s: float
    """What its last row and its summary may take beyond that; then it is ended."""


SCRIPTS = {
    TESTS: Allowance(210.0, 0.0),
    "correctness": Allowance(90.0, 20.0),
    "loader": Allowance(420.0, 60.0),
    "training": Allowance(310.0, 110.0),
    "sharing": Allowance(150.0, 35.0),
    "video": Allowance(225.0, 30.0),
    "demo": Allowance(180.0, 15.0),
}
WITHIN_S = 1680.0
"""Of all scripts together, by default: less than half an hour."""
SMALL = {
    "correctness": "--images 2 --side 64",
    "loader": "--images 64 --size 32 --batch 8 --rounds 1 --seconds 0.05",
    "training": "--models test_resnet --size 32 --batch 8 --images 64 --steps 2 --rounds 1",
    "sharing": "--models test_resnet --size 32 --batch 8 --images 64 --counts 1,2 --seconds 1",
}
"""Options that make a script small enough to be tried on a CPU; the others are small there by themselves."""


def gpu_tests(folder: Path) -> list[Path]:
    """The test files with tests for a GPU, by the mark or by a name that stands for it: others may not even import."""
    texts = {path: path.read_text() for path in folder.rglob("*.py")}
    names = {name for text in texts.values() for name in re.findall(r"^(\w+) = .*mark\.gpu", text, re.MULTILINE)}
    marked = re.compile("|".join([r"mark\.gpu", *(rf"\b{name}\b" for name in names)]))
    return sorted(path for path, text in texts.items() if path.name.startswith("test_") and marked.search(text))


def command_of(name: str, device: str, out: Path | None, limit_s: float) -> list[str]:
    """The command line of one of SCRIPTS."""
    if name == TESTS:
        files = gpu_tests(ROOT / "tests")
        # Verbose: where it is ended, its log says how far it came.
        options = ["-m", "gpu", "-v", "--tb=short", "-o", "addopts=--import-mode=importlib --timeout=100"]
        return [sys.executable, "-m", "pytest", *options, "--continue-on-collection-errors", *map(str, files)]
    words = [sys.executable, "-m", f"benchmarks.gpu.{name}", "--device", device, "--limit", f"{limit_s:.0f}"]
    small = SMALL.get(name, "").split() if device == "cpu" else []
    return [*words, *small, *(["--out", str(out)] if out else [])]


def run(names: list[str], device: str, out: Path | None, within_s: float = WITHIN_S) -> dict[str, str]:
    """What each script said and took is shown as it ends; returns why each that failed did."""
    console, failed, ran = Console(width=150), {}, 0
    end = time.monotonic() + within_s
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            console.rule(name)
            if name == TESTS and device == "cpu":
                console.print("not run: its tests need a GPU")
                continue
            ran += 1
            allowed, begun = SCRIPTS[name], time.monotonic()
            limit_s = min(allowed.limit_s, end - begun - allowed.row_s)
            if limit_s <= 0:
                failed[name] = f"{max(0.0, end - begun):.0f} s were left, and it may take {allowed.row_s:.0f} s"
                continue
            log = (out or Path(folder)) / f"{name}.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            why = why_not(command_of(name, device, out, limit_s), log, limit_s + allowed.row_s)
            for line in said_in(log):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
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
    parser.add_argument("--only", default=",".join(SCRIPTS), help="names with commas (default: all, %(default)s)")
    parser.add_argument("--within", type=float, default=WITHIN_S, help="seconds for all of them (default: %(default)g)")
    parser.add_argument("--out", type=Path, help="folder for the results (default on a GPU: benchmarks/results)")
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := [name for name in names if name not in SCRIPTS]:
        parser.error(f"there is no script '{unknown[0]}'; give some of: {','.join(SCRIPTS)}")
    out = options.out and options.out.absolute()
    sys.exit(1 if run(names, options.device, out, options.within) else 0)


if __name__ == "__main__":
    main()
