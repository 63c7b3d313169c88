"""What the scripts have kept, read again: one record a script, and the figures that the chart and the table show."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dataengine.errors import DfxError

Told = dict[str, Any]
"""What one script has kept (`record.Record`)."""
SHOWN = ("loader", "training", "sharing", "video", "demo")
NOT_MEASURED = "not measured"

Kind = Literal["ceiling", "dfx", "gpu", "cpu"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One contender of the loaders, at its best setting."""

    label: str
    kind: Kind
    images_per_s: float


CEILINGS, CPU_LOADERS = ("decode", "decode_in_place"), ("cpu", "webdataset_turbo", "ffcv")
BOUNDS = ("raw_read", "bare_decode", "from_memory", "feed")
"""Of the loader's contenders: what is no loader, and no ceiling of one on a GPU."""


def read(folder: Path) -> dict[str, Told]:
    """The records in `gpu-*.json` by their script. Raises DfxError where there are two of one script."""
    found: dict[str, Told] = {}
    files: dict[str, Path] = {}
    for path in sorted(folder.glob("gpu-*.json")):
        told = json.loads(path.read_text())
        if told["name"] in found:
            raise DfxError(
                f"{files[told['name']]} and {path} are both of {told['name']}; give a folder with one machine's alone"
            )
        found[told["name"]], files[told["name"]] = told, path
    return found


def why_missing(told: Told | None) -> str:
    """Why a script has no figures, in a few words."""
    if told is None:
        return NOT_MEASURED
    whys = [row["why"] for row in told["not_measured"]]
    return f"{NOT_MEASURED}: {whys[0]}" if whys else NOT_MEASURED


def trainings(told: Told | None) -> list[Told]:
    """The rows of training with the plain augmentation, in the order they were measured."""
    return [row for row in told["rows"] if row["augment"] == "crop"] if told else []


def totals(told: Told | None) -> dict[str, dict[int, float]]:
    """Images/s of all trainings together by network and number of trainings."""
    found: dict[str, dict[int, float]] = {}
    for row in told["rows"] if told else []:
        found.setdefault(row["model"], {})[row["trainings"]] = row["images_per_s"]
    return {model: dict(sorted(by_count.items())) for model, by_count in found.items()}


def conversions(told: Told | None) -> dict[tuple[str, int], dict[str, float]]:
    """Clips/s by (faces, workers) and decoder: medians of the rounds. A decoder that was not measured is left out."""
    found: dict[tuple[str, int], dict[str, list[float]]] = {}
    for row in [*told["rows"], *told["not_measured"]] if told else []:
        if row["what"] == "convert":
            place = found.setdefault((row["faces"], row["workers"]), {})
            if row.get("clips_per_s"):
                place.setdefault(row["decoder"], []).append(row["clips_per_s"])
    return {
        place: {decoder: statistics.median(rates) for decoder, rates in by_decoder.items()}
        for place, by_decoder in sorted(found.items(), key=lambda item: (item[0][0] != "track", item[0][1]))
    }


def decodings(told: Told | None) -> list[Told]:
    """The rows of decoding alone; those that were not measured have a "why" and no figures."""
    rows = [*told["rows"], *told["not_measured"]] if told else []
    return [row for row in rows if row["what"] == "decode"]


def demos(told: Told | None) -> dict[str, dict[str, float]]:
    """Seconds of each step by what the demo ran on: cuda, cpu."""
    return {row["on"]: {step: row[step] for step in row if step != "on"} for row in told["rows"]} if told else {}


def loaders(told: Told | None) -> list[Bar]:
    """The race of the loader with its defaults beside all else, and the loader at its best; slowest first."""
    race = {row["name"]: row for row in told["rows"] if row["race"] == "beside"} if told else {}
    ceilings = sorted((race.pop(name) for name in CEILINGS if name in race), key=lambda row: row["images_per_s"])
    bars = [Bar(label="DALI decoding alone", kind="ceiling", images_per_s=row["images_per_s"]) for row in ceilings[-1:]]
    for name, row in race.items():
        if name not in BOUNDS:
            kind: Kind = "dfx" if name == "base" else "cpu" if name in CPU_LOADERS else "gpu"
            label = "dfx, defaults" if name == "base" else row["what"]
            bars.append(Bar(label=label, kind=kind, images_per_s=row["images_per_s"]))
    best = told["found"].get("best_images_per_s") if told else None
    for row in told["rows"] if told else []:
        if row["race"] == "best" and row["images_per_s"] == best and row["name"] != "base":
            bars.append(Bar(label="dfx, best settings", kind="dfx", images_per_s=row["images_per_s"]))
    return sorted(bars, key=lambda bar: bar.images_per_s)


def loader_goals(told: Told) -> list[str]:
    """What the loader comes to beside its ceiling and the best CPU loader, in words; medians of ratios of a round."""
    found = told["found"]
    says = []
    for setting in ("base", "best"):
        to = {key.partition(" ")[0]: value for key, value in found.items() if value is not None}
        ceiling, cpu = to.get(f"{setting}_to_ceiling"), to.get(f"{setting}_to_best_cpu_loader")
        parts = [f"{ceiling:.2f} of the ceiling"] if ceiling else []
        parts += [f"{cpu:.1f}× the best CPU loader"] if cpu else []
        if parts:
            says.append(f"{'defaults' if setting == 'base' else 'best settings'} {', '.join(parts)}")
    return says
