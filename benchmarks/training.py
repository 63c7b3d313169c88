"""Measure training on a GPU: images a second, and the share of the time spent waiting for the loader, of the five
backbones that `docs/models.md` names, in bfloat16 and channels-last.

python -m benchmarks.training [--models NAMES] [--batch 64] [--steps 50] [--rounds 3] [--device cuda] [--size PX]

The steps are those of a training (loader, augmentation `crop`, forward, cross-entropy, backward, AdamW) on a generated
store of 256 px JPEGs, at each network's own input size unless `--size` gives another; weights are drawn. The first
epoch of `--steps` steps warms up, then come `--rounds` more, of which the median is told. The result goes to
`benchmarks/results/` as JSON, a GPU's alone: without one nothing is measured. `--device cpu --size 64 --steps 3` tries
the script.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.loader import RESULTS, make_rows
from dataengine.selection import Rows
from dataengine.throughput import machine
from trainers.config import TrainConfig
from trainers.problem import Methods
from trainers.run import versions_here
from trainers.training import Training

FIVE = (
    "tf_efficientnetv2_b0",
    "resnet50",
    "convnext_tiny",
    "swinv2_small_window8_256",
    "vit_base_patch16_clip_224.openai",
)
TASK = "detection"


def measure(
    model: str, rows: Rows, *, batch: int, rounds: int, device: str, size: int | None, threads: int | None
) -> dict[str, Any]:
    """One network, on epochs of all `rows`."""
    config = TrainConfig(
        data=tuple(str(store.root) for store in rows.stores),
        task=TASK,
        model=model,
        weights="none",
        size=size,
        batch=batch,
        epochs=rounds + 1,
        lr=1e-4,
        amp="bf16",
        channels_last=True,
        device=device,
        threads=threads,
    )
    torch.manual_seed(config.seed)
    with Training(config, Methods(config, validated=False), fresh=True) as training:
        if training.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(training.device)
        epochs = [training.epoch() for _ in range(rounds + 1)][1:]
        peak = torch.cuda.max_memory_allocated(training.device) if training.device.type == "cuda" else None
        return {
            "model": model,
            "params": training.model_facts()["params"],
            "size": training.spec.size,
            "images_per_s": statistics.median(epoch.images_per_s for epoch in epochs),
            "images_per_s_of_rounds": [epoch.images_per_s for epoch in epochs],
            "input_wait": statistics.median(epoch.input_wait for epoch in epochs),
            "backend": training.stream.backend,
            "peak_gpu_bytes": peak,
        }


def show(results: list[dict[str, Any]]) -> None:
    """The table."""
    table = Table("model", "parameters", "px", "images/s", "input wait", "loader", "GPU GiB")
    for one in results:
        peak = one["peak_gpu_bytes"]
        table.add_row(
            one["model"],
            f"{one['params'] / 1e6:.1f} M",
            f"{one['size']}",
            f"{one['images_per_s']:,.0f}",
            f"{one['input_wait']:.1%}",
            one["backend"],
            "" if peak is None else f"{peak / 2**30:.1f}",
        )
    Console(width=120).print(table)


def main() -> None:
    """Make the store, measure, show, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(FIVE), help="by comma (default: the five)")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=50, help="of an epoch (default: 50)")
    parser.add_argument("--rounds", type=int, default=3, help="epochs that are measured (default: 3)")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", type=int, help="side of the input in pixels (default: each network's own)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    if chosen.device.startswith("cuda") and not torch.cuda.is_available():
        print("not measured: no GPU is there (--device cpu --size 64 --steps 3 tries the script)")
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = make_rows(Path(folder), chosen.batch * chosen.steps)
        results = [
            measure(
                model,
                rows,
                batch=chosen.batch,
                rounds=chosen.rounds,
                device=chosen.device,
                size=chosen.size,
                threads=chosen.threads,
            )
            for model in chosen.models.split(",")
        ]
    show(results)
    if not chosen.device.startswith("cuda"):
        print("not measured: the script was tried without a GPU, and nothing is kept")
        return
    facts = machine()
    settings = {name: getattr(chosen, name) for name in ("batch", "steps", "rounds", "size", "threads")}
    path = chosen.out / f"training-{re.sub('[^a-z0-9]+', '-', facts['gpus'][0].lower()).strip('-')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {"machine": facts, "versions": versions_here(), "settings": settings, "results": results}
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(f"kept in {path}")


if __name__ == "__main__":
    main()
