"""Measure the loader on a generated store of 256 px JPEGs (quality 95, 4:4:4) and keep the result with the machine.

Beside dfx run the other loaders that are installed (`benchmarks/peers.txt` says how to have them all). The result goes
to `benchmarks/results/` as JSON and as a bar chart, under a name that tells the machine.

python -m benchmarks.loader [--images 1024] [--threads N] [--rounds 9] [--seconds 2] [--no-peers] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from cli.bench import show
from dataengine.backends.slices import usable_cpus
from dataengine.convert import convert
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.selection import Rows, select
from dataengine.settings import ExtractSettings
from dataengine.throughput import CONTENDERS, OWN, Report, Settings, measure
from dataengine.throughput.chart import save_chart

RESULTS = Path(__file__).parent / "results"
SIDE = 256


def make_rows(root: Path, num_images: int, *, chroma: str = "444") -> Rows:
    """A store of smooth colour fields with sensor noise, about as large in bytes as crops of faces (27 KB).

    `chroma`: its subsampling, as simplejpeg names it.
    """
    random = np.random.default_rng(0)
    for i in range(num_images):
        path = root / "tree" / "train" / ("real", "fake")[i % 2] / f"{i:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        field = cv2.resize(random.integers(0, 255, (9, 9, 3), np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        noise = cv2.randn(np.empty((SIDE, SIDE, 3), np.int16), 0, 2.5)
        image = np.clip(field + noise, 0, 255).astype(np.uint8)
        path.write_bytes(simplejpeg.encode_jpeg(image, 95, "RGB", chroma))
    settings = ConvertSettings(extract=ExtractSettings(faces="none"))
    convert("folder", root / "tree", root / "store", settings, ScanOptions())
    return select([str(root / "store")])


def keep(report: Report, folder: Path) -> Path:
    """Write JSON and chart under a name that tells the machine; the JSON's path."""
    machine = report.machine
    name = "-".join([*(machine["gpus"] or [machine["processor"]]), f"{report.settings.threads} threads"])
    path = folder / f"loader-{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report.to_json(), indent=2) + "\n")
    save_chart(report, path.with_suffix(".png"))
    return path


def main() -> None:
    """Make the store, measure, show, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--no-peers", dest="contenders", action="store_const", const=OWN, default=CONTENDERS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = make_rows(Path(folder), chosen.images)
        settings = Settings(threads=chosen.threads, rounds=chosen.rounds, seconds=chosen.seconds)
        measured = measure(rows, settings, contenders=chosen.contenders)
    report = replace(measured, stores=["generated, 256 px"])
    show(report)
    print(f"kept in {keep(report, chosen.out)}")


if __name__ == "__main__":
    main()
