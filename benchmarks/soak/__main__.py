"""Kill and resume trainings on a generated store for a time, and count what they have seen: it must be the promise.

Ranks (processes of their own) take batches, log them and save the stream's state every few steps. They are killed at
random moments and started again from the last saved state, with another world size, other threads and another
backend, policy after policy. Every logged sample is held against one undisturbed run in one process, and every
finished epoch against what its policy promises. Some samples are damaged, so that others stand in for them.

python -m benchmarks.soak [--minutes 30] [--seed 0] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from pathlib import Path

from benchmarks.soak.drive import Plan, Tally, soak
from dataengine.throughput import machine

RESULTS = Path(__file__).parents[1] / "results"


def keep(tally: Tally, plan: Plan) -> Path:
    """Write the result under a name that tells the machine."""
    on = machine()
    path = RESULTS / f"soak-{re.sub('[^a-z0-9]+', '-', str(on['processor']).lower()).strip('-')}.json"
    path.parent.mkdir(exist_ok=True)
    settings = {"minutes": plan.seconds / 60, "seed": plan.seed, "epochs": plan.epochs, "save_every": plan.save_every}
    path.write_text(json.dumps({"settings": settings, **tally.to_json(), "machine": on}, indent=2) + "\n")
    return path


def show(tally: Tally) -> None:
    """One line on how it stands."""
    print(
        f"{tally.seconds:7.0f} s  {sum(tally.streams.values())} trainings  {tally.lives} lives  {tally.kills} kills  "
        f"{tally.changes} world changes  {tally.epochs} epochs  {tally.samples:,} samples  "
        f"{tally.replayed:,} replayed  {tally.replaced} damaged  {len(tally.mismatches)} mismatches",
        file=sys.stderr,
        flush=True,
    )


def main() -> int:
    """Soak, show, keep; 1 where anything was not as promised."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="no pass begins after so long (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="of worlds, kills and streams (default: 0)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    chosen = parser.parse_args()
    os.nice(10)
    plan = Plan(seconds=chosen.minutes * 60, seed=chosen.seed)
    with tempfile.TemporaryDirectory() as folder:
        tally = soak(Path(folder), plan, show)
    path = keep(tally, plan)
    print(path.read_text() if chosen.json else f"kept in {path}")
    print("\n".join(tally.mismatches[:20]), file=sys.stderr)
    return 1 if tally.mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
