"""One measurement on a GPU as a JSON file: machine, driver, versions, settings, rows, and what was not measured.

The file is written anew after every row, so that a run which is cut off leaves what it had.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.loader import RESULTS
from dataengine.throughput import machine
from trainers.run import versions_here

LIMIT_S = 420.0
"""Of a script, by default: with the last row's own time it ends in under eight minutes."""

Row = dict[str, Any]


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """The options that every script has: --device, --limit, --out."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try the script (default: cuda)")
    parser.add_argument(
        "--limit", type=float, default=LIMIT_S, help=f"seconds after which no row is begun (default: {LIMIT_S:g})"
    )
    parser.add_argument("--out", type=_folder, help="folder for the result (default on a GPU: benchmarks/results)")
    return parser


def _folder(text: str) -> Path:
    path = Path(text)
    if not next(there for there in (path, *path.absolute().parents) if there.exists()).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder to write in")
    return path


def check_device(parser: argparse.ArgumentParser, device: str) -> None:
    """End the script where the device is not there."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("no CUDA device; --device cpu tries the script")


def reason(error: BaseException) -> str:
    """Why a row failed, in one line: a compiler's error has hundreds, of which the first alone says nothing."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:400]


@dataclass(slots=True)
class Record:
    """The rows of one script, kept as they come."""

    name: str
    device: str
    settings: Mapping[str, Any]
    limit_s: float = LIMIT_S
    out: Path | None = None
    """None: benchmarks/results on a GPU; on a CPU nothing is kept."""
    rows: list[Row] = field(default_factory=list)
    not_measured: list[Row] = field(default_factory=list)
    """Rows that are missing, with the reason under "why"."""
    found: dict[str, Any] = field(default_factory=dict)
    """What the rows come to: the figures that the goals speak of."""
    _began: float = field(default_factory=time.monotonic)
    _machine: dict[str, Any] = field(default_factory=machine)

    def late(self) -> bool:
        """Whether the time is up, so that no row may be begun."""
        return time.monotonic() - self._began > self.limit_s

    def add(self, **row: Any) -> None:
        """Keep a row that was measured."""
        self.rows.append(row)
        self._keep()

    def miss(self, why: str, **row: Any) -> None:
        """Keep that a row was not measured, and why."""
        self.not_measured.append({**row, "why": why})
        self._keep()

    def end(self, **found: Any) -> None:
        """Keep what the rows come to, and say where all of it lies."""
        self.found.update(found)
        path = self._keep()
        console = Console(width=150)
        for row in self.not_measured:
            what = ", ".join(f"{name} {value}" for name, value in row.items() if name != "why")
            console.print(f"not measured: {what}: {row['why']}", highlight=False)
        for name, value in self.found.items():
            console.print(f"{name}: {value}", highlight=False)
        console.print(f"kept in {path}" if path else "tried on a CPU: nothing is kept", highlight=False)

    def _keep(self) -> Path | None:
        if self.out is None and not self.device.startswith("cuda"):
            return None
        gpus = self._machine["gpus"] if self.device.startswith("cuda") else ["cpu"]
        where = re.sub("[^a-z0-9]+", "-", gpus[0].lower()).strip("-")
        path = (self.out or RESULTS) / f"gpu-{self.name}-{where}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        told = {
            "name": self.name,
            "device": self.device,
            "machine": self._machine,
            "versions": versions_here(),
            "settings": dict(self.settings),
            "seconds": round(time.monotonic() - self._began, 1),
            "rows": self.rows,
            "found": self.found,
            "not_measured": self.not_measured,
        }
        part = path.with_suffix(".part")
        part.write_text(json.dumps(told, indent=2) + "\n")
        part.replace(path)  # whole at any moment, wherever the script is ended
        return path


def show(rows: list[Row], columns: Mapping[str, str], title: str = "") -> None:
    """A table of rows on the screen: `columns` is the key of each and its heading."""
    table = Table(*columns.values(), title=title, title_justify="left")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in columns))
    Console(width=150).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
