"""Train every named model and every loss on a miniature dataset, and evaluate each on its own test split and on another
dataset: does each learn, and what is left of it elsewhere?

python -m benchmarks.learning [--data FOLDER] [--workers N] [--only TEXT] [--out FOLDER] [--page FILE]

Two miniatures of `dfx demo` are generated and converted once into FOLDER/stores. Every training of the plan is a run in
FOLDER/runs: one thread each, `--workers` at a time. Called again, it keeps what is there and goes on where it stood.
The result goes to `benchmarks/results/` as JSON, and from it to a page of tables. An entry has learnt where the 95 %
interval of its balanced accuracy, by clip, on its own test split lies above chance. `seconds` is the clock's, while the
other workers were training too.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.demo import MINIATURES, Scale
from dataengine.backends.slices import usable_cpus
from dataengine.convert import convert
from dataengine.errors import DfxError
from dataengine.executors import executor_of
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.sample import generate
from dataengine.settings import ExtractSettings
from dataengine.throughput import machine
from trainers.config import TrainConfig
from trainers.evaluation.evaluate import evaluate
from trainers.fit import fit
from trainers.losses.spec import CLASSIFICATION, TERMS
from trainers.models.catalogue import MODELS
from trainers.run import open_run, versions_here
from trainers.taxonomy import TASKS

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "learning.md"
OWN, OTHER = MINIATURES[:2]
"""Trained on the first. The second has the same five methods, other people, cameras and codec: both tasks can be asked
there too."""

SMALL = "test_resnet"
"""The network of every loss: timm's smallest ResNet, 0.4 million weights."""

COMMON: dict[str, Any] = {
    "weights": "none",
    "size": 64,
    "epochs": 10,
    "frames_per_clip": 4,
    "batch": 24,
    "lr": 3e-3,
    "device": "cpu",
    "backend": "cpu",
    "amp": "off",
    "threads": 1,
}

OF_MODEL: dict[str, dict[str, Any]] = {
    "mesonet4": {"epochs": 20, "batch": 12, "lr": 2e-3},
    "mesoinception4": {"epochs": 40, "batch": 12, "lr": 1e-3},
    "shallownet": {"epochs": 20, "batch": 12, "lr": 3e-4},
    "xception": {"size": 72, "epochs": 8, "batch": 4, "lr": 5e-4, "amp": "bf16"},
    "efficientnet-b0": {"epochs": 24, "batch": 8, "lr": 1e-3},
    "dna-det": {"lr": 1e-3},
}
"""Where a model needs other settings than COMMON. Keras's batch norms keep 0.99 of their statistics each step, which
begin with a variance of 1; where a layer's own is 0.005, the start is forgotten only after some 1,000 steps, and until
then validation sees another model than training does. So steps are many and batches small. EfficientNet's classifier,
drawn as Keras draws it for two classes, begins at a loss of 5, which takes steps too. Xception takes 71 px at least
and is by far the slowest; bfloat16 is twice as quick for it where a processor has it."""

OF_LOSS: dict[str, dict[str, Any]] = {
    "ce+patchwise": {"patches": 4, "patch_px": 32},
}
"""Where a loss does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A training of the plan."""

    task: str
    model: str
    loss: str
    settings: dict[str, Any] = field(default_factory=dict)
    """Other than COMMON."""

    @property
    def name(self) -> str:
        """Of its run."""
        return f"{self.task}-{self.model}-{self.loss}"

    def config(self, data: Path) -> TrainConfig:
        """The training on the store at `data`."""
        named = {"data": [str(data)], "task": self.task, "model": self.model, "loss": self.loss}
        return TrainConfig.of({**COMMON, **self.settings, **named})


def plan() -> list[Entry]:
    """Every named model with cross-entropy for both tasks, then every loss, each term beside cross-entropy."""
    models = [
        Entry(task=task, model=model, loss="ce", settings=OF_MODEL.get(model, {})) for model in MODELS for task in TASKS
    ]
    losses = [*CLASSIFICATION, *(f"ce+{term}" for term in TERMS), "supcon"]
    return models + [
        Entry(task="attribution", model=SMALL, loss=loss, settings=OF_LOSS.get(loss, {})) for loss in losses
    ]


def make_stores(folder: Path, scale: Scale, workers: int) -> tuple[Path, Path]:
    """The two miniatures as stores, made where they are missing: the one trained on and the other one."""
    settings = ConvertSettings(extract=ExtractSettings(frames=scale.stored_frames), shard_samples=256)
    for mini in (OWN, OTHER):
        videos = folder / "videos" / mini.store
        generate(mini.layout, videos, clips=scale.clips, frames=scale.frames, seed=mini.seed, workers=workers)
        options = ScanOptions(name=mini.store if mini.layout == "folder" else "")
        convert(
            mini.layout,
            videos,
            folder / "stores" / mini.store,
            settings,
            options,
            executor=executor_of(workers=workers),
        )
    return folder / "stores" / OWN.store, folder / "stores" / OTHER.store


def learn(entry: Entry, runs: Path, own: Path, other: Path) -> dict[str, Any]:
    """Train an entry, or take its finished run, and evaluate it on the test splits of both stores."""
    row = {"task": entry.task, "model": entry.model, "loss": entry.loss, "settings": entry.settings}
    try:
        done = fit(entry.config(own), runs / entry.name, resume=True)
        tests = evaluate(done.run, [str(own), str(other)], device="cpu", backend="cpu", threads=1)
    except DfxError as error:
        return {**row, "error": str(error), "learnt": False}
    run, metric = open_run(done.run), f"{entry.task}_balanced_accuracy"
    found = [
        {"value": test["clip"][metric], "interval": test["intervals"]["clip"][metric], "groups": test["groups"]}
        for test in tests
    ]
    chance = 1 / len(run.taxonomy.classes)
    interval = found[0]["interval"]
    return {
        **row,
        "params": run.config["model"]["params"],
        "epochs": len(done.epochs),
        "best_epoch": done.best.epoch + 1,
        "seconds": run.result["seconds"],
        "chance": chance,
        "own": found[0],
        "other": found[1],
        "learnt": interval is not None and interval[0] > chance,
    }


def page(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    rows, settings = result["rows"], result["settings"]
    clips, frames = result["scale"]["clips"], result["scale"]["stored_frames"]
    learnt = sum(row["learnt"] for row in rows)
    on, versions = result["machine"], result["versions"]
    return f"""# What learns on the miniatures

Every named model and every loss, trained from scratch on a CPU on images of {settings["size"]} px. Written by
`python -m benchmarks.learning` from `{result["file"]}`.

The miniatures are generated (`dfx sample`): the figures say that each way of training works, and nothing of how good it
is on real forgeries. All are trained on `{OWN.store}` ({clips} reals, a fake of each of five methods for each of them,
{frames} frames a clip) and evaluated on the test splits of `{OWN.store}` and of `{OTHER.store}`: {OTHER.about}.
Figures are balanced accuracies by clip, with their 95 % bootstrap interval over the identity groups of the test
split ({_groups(rows)}). A training has learnt where the interval on its own test split lies above chance: 1/2 in
detection, 1/6 in attribution. Settings were adjusted until each way of training learns, with these very figures in
view: this is a check that all of them train, and no comparison of models or losses.

**{learnt} of {len(rows)} have learnt.** {_time(result)}
{on["processor"]}, {on["usable_cpus"]} processors with a load of {result["load"]:.0f}, other work included; torch
{versions["torch"]}, timm {versions["timm"]}.

## Models, with cross-entropy

{_table([row for row in rows if row["model"] != SMALL], lambda row: f"`{row['model']}`, {row['task']}")}

## Losses, of `{SMALL}` in attribution

{_table([row for row in rows if row["model"] == SMALL], lambda row: f"`{row['loss']}`")}

## Settings

All: {_listed(settings)}. What is not named is a default of `dfx train`. Otherwise:

{_otherwise(rows)}
"""


def _table(rows: list[dict[str, Any]], name: Any) -> str:
    lines = [
        f"| | parameters | epochs | seconds | {OWN.store}, own test split | {OTHER.store} | learnt |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if "error" in row:
            lines.append(f"| {name(row)} | | | | {row['error']} | | no |")
            continue
        cells = [
            name(row),
            f"{row['params']:,}",
            f"{row['epochs']}",
            f"{row['seconds']:.0f}",
            _figure(row["own"]),
            _figure(row["other"]),
            "yes" if row["learnt"] else "**no**",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _figure(found: dict[str, Any]) -> str:
    if found["value"] is None:
        return "undefined"
    interval = found["interval"]
    return f"{found['value']:.3f} " + (
        "(no interval)" if interval is None else f"[{interval[0]:.3f}, {interval[1]:.3f}]"
    )


def _groups(rows: list[dict[str, Any]]) -> str:
    found = {row[where]["groups"] for row in rows if "error" not in row for where in ("own", "other")}
    return " or ".join(str(count) for count in sorted(found))


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _otherwise(rows: list[dict[str, Any]]) -> str:
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["settings"]:
            name = row["loss"] if row["model"] == SMALL else row["model"]
            found.setdefault(_listed(row["settings"]), []).append(f"`{name}`")
    return "\n".join(f"- {', '.join(dict.fromkeys(names))}: {settings}" for settings, names in found.items())


def _time(result: dict[str, Any]) -> str:
    took = result["seconds"]
    text = f"The trainings took {took['training'] / 60:.0f} minutes in sum, {result['workers']} at a time"
    if took["kept"]:
        return f"{text}; {took['kept']} of them were there from calls before."
    return f"{text}; with the data and the evaluation the command took {took['all'] / 60:.0f} minutes."


def main() -> None:
    """Make the stores, train and evaluate what is missing, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("learning"), help="stores and runs (default: learning)")
    parser.add_argument("--workers", type=int, default=usable_cpus(), help="trainings at a time (default: the CPUs)")
    parser.add_argument("--only", default="", help="entries whose name holds this text; nothing is written then")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    chosen = parser.parse_args()
    began, folder, scale = time.monotonic(), chosen.data.resolve(), Scale()
    own, other = make_stores(folder, scale, chosen.workers)
    entries = [entry for entry in plan() if chosen.only in entry.name]
    kept = sum((folder / "runs" / entry.name / "result.json").exists() for entry in entries)
    rows: dict[str, dict[str, Any]] = {}
    with ProcessPoolExecutor(chosen.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(learn, entry, folder / "runs", own, other): entry.name for entry in entries}
        for done in as_completed(futures):
            row = rows[futures[done]] = done.result()
            figures = row.get("error") or f"{_figure(row['own'])}, {row['seconds']:.0f} s"
            note = "" if row["learnt"] else ", NOT LEARNT"
            print(f"{len(rows)}/{len(entries)} {futures[done]}: {figures}{note}", flush=True)
    if chosen.only:
        return
    facts = machine()
    path = chosen.out / f"learning-{re.sub('[^a-z0-9]+', '-', facts['processor'].lower()).strip('-')}.json"
    in_order = [rows[entry.name] for entry in entries]
    result = {
        "file": f"benchmarks/results/{path.name}",
        "machine": facts,
        "versions": versions_here(),
        "load": os.getloadavg()[2],
        "workers": chosen.workers,
        "scale": {"clips": scale.clips, "stored_frames": scale.stored_frames},
        "settings": COMMON,
        "seconds": {
            "training": sum(row.get("seconds", 0.0) for row in in_order),
            "all": time.monotonic() - began,
            "kept": kept,
        },
        "rows": in_order,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    chosen.page.write_text(page(result))
    print(f"kept in {path} and {chosen.page}")


if __name__ == "__main__":
    main()
