"""`dfx demo` on the GPU, timed by step, and beside it on the same machine with the GPU hidden.

Each is `dfx demo` in a fresh process, in a folder of its own. It needs Ray, whose absence is recorded. The GPU comes
first; the CPU's turn is skipped once the time is up, and cut off where it takes too long.

python -m benchmarks.gpu.demo [--device cpu] [--limit 420] [--out FOLDER]
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from benchmarks.gpu.child import why_not
from benchmarks.gpu.record import Record, Row, arguments, check_device, show
from cli.demo import Scale

TINY = Scale(clips=8, frames=4, stored_frames=3, models="test_resnet", epochs=1, size=32, bench_rounds=1)
CUT_OFF_S = 480.0
"""A demo that takes longer is stopped."""
STEPS = ("sample", "shard", "bench", "tune", "report", "all")

RUN = """
import json, sys
from pathlib import Path
from cli.demo import Scale, run_demo
result = run_demo(Path(sys.argv[1]) / "demo", Scale(**json.loads(sys.argv[2])))
Path(sys.argv[1], "result.json").write_text(json.dumps(result))
"""


def timed(scale: Scale, environment: Mapping[str, str], limit_s: float = CUT_OFF_S) -> Row:
    """Seconds of each step of a demo in a fresh process, which sees this environment too.

    Raises RuntimeError where it fails or takes too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", RUN, folder, json.dumps(asdict(scale))]
        if why := why_not(command, Path(folder) / "log", limit_s, environment):
            raise RuntimeError(why)
        seconds: Row = json.loads((Path(folder) / "result.json").read_text())["seconds"]
        return seconds


def measure(record: Record, scale: Scale) -> None:
    """A row for the device and, where that is a GPU, one with the GPU hidden."""
    if find_spec("ray") is None:
        record.miss("Ray is not installed", on=record.device)
        return
    turns = [(record.device, {})] if record.device == "cpu" else [("cuda", {}), ("cpu", {"CUDA_VISIBLE_DEVICES": ""})]
    for on, environment in turns:
        if record.late():
            record.miss("the time was up", on=on)
            continue
        try:
            record.add(on=on, **timed(scale, environment))
        except RuntimeError as error:
            record.miss(str(error), on=on)


def main() -> None:
    parser = arguments(__doc__)
    options = parser.parse_args()
    check_device(parser, options.device)
    scale = TINY if options.device == "cpu" else Scale()
    record = Record("demo", options.device, asdict(scale), options.limit, options.out)
    measure(record, scale)
    show(record.rows, {"on": "on", **{step: f"{step}, s" for step in STEPS}}, "dfx demo")
    record.end(seconds={row["on"]: row["all"] for row in record.rows})


if __name__ == "__main__":
    main()
