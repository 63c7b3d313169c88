"""The loader on a GPU beside what bounds it and what could take its place, and what its settings do.

A base point (224 px, batches of 256, all threads, defaults), changed in one thing at a time, the best of these together
with its neighbours, then other sizes, batches and chroma. All of a race go through the same images in turns; ratios are
taken round by round, and their medians are kept.

python -m benchmarks.gpu.loader [--device cpu] [--images 2048] [--batch 256] [--threads N] [--rounds 3] [--limit S]
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from benchmarks.gpu.bounds import bounds, feed
from benchmarks.gpu.record import Record, Row, arguments, check_device, reason, show
from benchmarks.loader import SIDE, make_rows
from dataengine.backends import GpuDecoding
from dataengine.backends.slices import usable_cpus
from dataengine.selection import Rows
from dataengine.throughput import PEERS, Contender, Result, Settings, measure, own

CEILINGS = ("decode", "decode_in_place")
CPU_LOADERS = ("cpu", "webdataset_turbo", "ffcv")
BASE = "base"
DEFAULTS = GpuDecoding()
SIZES, BATCHES = (256, 384), (64, 128, 512)
SHARES, THREADS = (0.0, 0.35, 0.65, 0.9, 1.0), (1, 2, 4, 8, 16)
WORTH = 1.02
"""A setting that gains less than this over the default is noise, and the default stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The loader's settings that are tried."""

    threads: int
    prefetch: int = 2
    engine_share: float = DEFAULTS.engine_share
    fancy: bool = DEFAULTS.fancy
    regions: bool = DEFAULTS.regions
    largest: int = 0
    """Both sides of `GpuDecoding.largest`."""
    tied: bool = DEFAULTS.tied

    def options(self) -> dict[str, Any]:
        """As `Loader` takes them."""
        gpu = GpuDecoding(
            engine_share=self.engine_share,
            fancy=self.fancy,
            regions=self.regions,
            largest=(self.largest, self.largest),
            tied=self.tied,
        )
        return {"threads": self.threads, "prefetch": self.prefetch, "gpu": gpu}

    def changes(self, base: Choice) -> dict[str, Any]:
        """What differs from `base`."""
        names = [one.name for one in fields(self)]
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(base, name)}

    def name(self, base: Choice) -> str:
        """Its changes in a word."""
        return " ".join(f"{name}={value}" for name, value in self.changes(base).items()) or BASE


def factors(base: Choice) -> dict[str, list[Choice]]:
    """What is tried beside the base, race by race.

    What the engine takes depends on whether it can decode windows, and interpolate chroma: no decoder says so, and the
    rates of these together do.
    """
    regions = (True, False)
    decoding = [replace(base, engine_share=share, regions=only) for only in regions for share in SHARES]
    return {
        "decoding": [*decoding, *(replace(base, fancy=False, regions=only) for only in regions)],
        "threads": [replace(base, threads=threads) for threads in THREADS if threads < base.threads],
        "prefetch": [replace(base, prefetch=prefetch) for prefetch in (1, 3, 4)],
        "largest": [replace(base, largest=SIDE)],
        "tied": [replace(base, tied=not base.tied)],
    }


def best_of(base: Choice, gains: Mapping[str, Mapping[Choice, float]]) -> Choice:
    """The best of each race together; `gains`: over the base, in each.

    Without fancy upsampling the pixels are others: what it costs is measured, and not saved.
    """
    best = base
    for race in gains.values():
        tried = {choice: gain for choice, gain in race.items() if choice.fancy == base.fancy}
        if tried and max(tried.values()) > WORTH:
            best = replace(best, **max(tried, key=tried.__getitem__).changes(base))
    return best


def neighbours(best: Choice, base: Choice) -> list[Choice]:
    """The best with one of its changes taken back, or with the next share for the engine."""
    back = [replace(best, **{name: getattr(base, name)}) for name in best.changes(base)]
    at = SHARES.index(best.engine_share)
    near = [replace(best, engine_share=share) for share in SHARES[max(0, at - 1) : at + 2]]
    return [choice for choice in dict.fromkeys([*back, *near]) if choice not in (best, base)]


@dataclass(slots=True)
class Study:
    """Races of one kind of store, kept in a record."""

    record: Record
    rows: Rows
    settings: Settings
    base: Choice
    chroma: str = "444"

    def race(self, race: str, contenders: Iterable[Contender], **changes: Any) -> dict[str, Result]:
        """Measure in turns and keep a row for each; empty where the time was up, or where it failed as a whole."""
        settings = replace(self.settings, **changes)
        what = {"race": race, "chroma": self.chroma, "size": settings.size, "batch": settings.batch}
        if self.record.late():
            self.record.miss("the time was up", **what)
            return {}
        try:
            report = measure(self.rows, settings, contenders=list(contenders))
        except Exception as error:  # the other races go on
            self.record.miss(reason(error), **what)
            return {}
        results = {result.name: result for result in report.results}
        ceiling = _fastest(results, CEILINGS)
        rows: list[Row] = []
        for result in results.values():
            row = {**what, "images": report.num_images, **asdict(result), "to_base": _ratio(result, results.get(BASE))}
            row["to_ceiling"] = _ratio(result, ceiling)
            rows.append({name: value for name, value in row.items() if name not in ("ratio", "ours")})
            self.record.add(**rows[-1])
        for name, why in report.skipped.items():
            self.record.miss(why, **what, name=name)
        columns = {"name": "", "images_per_s": "images/s", "low": "slowest", "high": "fastest"}
        columns |= {"to_base": "to base", "to_ceiling": "to ceiling", "cpu_us": "CPU us"}
        show(rows, columns, title=f"{race}: {self.chroma}, {settings.size} px, batches of {settings.batch}")
        return results

    def loader(self, choice: Choice) -> Contender:
        """dfx with DALI on the record's device."""
        name = choice.name(self.base)
        return own(name, f"dfx, {name}", "dali", self.record.device, **choice.options())

    def bounds(self, choice: Choice) -> tuple[Contender, ...]:
        """DALI from memory, with the same options."""
        return bounds(self.record.device, **choice.options())

    def gains(self) -> dict[str, dict[Choice, float]]:
        """What each setting by itself gains over the base, race by race."""
        gains: dict[str, dict[Choice, float]] = {}
        for name, choices in factors(self.base).items():
            tried = list(dict.fromkeys([self.base, *choices]))
            results = self.race(name, map(self.loader, tried))
            gains[name] = self.over_base(results, tried)
        return gains

    def over_base(self, results: Mapping[str, Result], tried: Iterable[Choice]) -> dict[Choice, float]:
        """The speed of those of `tried` that were measured, as a multiple of the base's."""
        ratios = {choice: _ratio(results.get(choice.name(self.base)), results.get(BASE)) for choice in tried}
        return {choice: ratio for choice, ratio in ratios.items() if ratio is not None}


def beside(device: str) -> list[Contender]:
    """What could take the loader's place: those with worker processes first, as they fork."""
    native = "dali_native_gpu" if device.startswith("cuda") else "dali_native_cpu"
    wanted = ("webdataset_turbo", "ffcv", "torchvision_gpu", native)
    return [*(one for one in PEERS if one.name in wanted), own("cpu", "dfx, cpu", "cpu", "cpu")]


def run(study: Study, subsampled: Study) -> dict[str, Any]:
    """All races, the most important first; what they come to.

    The ceiling of the best is that of its own race, with the decoder's settings that the races before it found best.
    """
    base = study.base
    first = study.race("beside", [*beside(study.record.device), study.loader(base), *study.bounds(base), feed()])
    feeds = [feed(f"feed threads={n}", threads=n) for n in THREADS if n <= base.threads]
    fed = _fastest(study.race("feed", feeds), [one.name for one in feeds]) or first.get("feed")
    likely = best_of(base, study.gains())
    cpu = _fastest(first, CPU_LOADERS)
    rival = [one for one in beside(study.record.device) if cpu is not None and one.name == cpu.name]
    tried = list(dict.fromkeys([base, likely, *neighbours(likely, base)]))
    last = study.race("best", [*rival, *map(study.loader, tried), *study.bounds(likely)])
    best = best_of(base, {"best": study.over_base(last, tried)}) if last else likely
    ceiling = _fastest(last or first, CEILINGS)
    bounds_here = [one for one in study.bounds(best) if ceiling is None or one.name == ceiling.name]
    for changes in [*({"size": size} for size in SIZES), *({"batch": batch} for batch in BATCHES)]:
        study.race("sizes", [study.loader(best), *bounds_here], **changes)
    variants = [replace(best, **one) for one in ({}, {"fancy": False}, {"engine_share": 0.0}, {"engine_share": 1.0})]
    subsampled.race("chroma", [*map(study.loader, dict.fromkeys([base, *variants])), *bounds_here])
    chosen = last.get(best.name(base))
    return {
        "base_images_per_s": _rate(first.get(BASE)),
        "base_to_ceiling": _ratio(first.get(BASE), _fastest(first, CEILINGS)),
        "base_to_best_cpu_loader": _ratio(first.get(BASE), cpu),
        "best_cpu_loader": cpu and cpu.name,
        "feed_images_per_s": _rate(fed),
        "feed": fed and fed.name,
        "best": asdict(best),
        "best_images_per_s": _rate(chosen),
        "best_to_ceiling (goal: 0.90)": _ratio(chosen, ceiling) if last else None,
        "best_to_from_memory": _ratio(chosen, last.get("from_memory")),
        "best_to_best_cpu_loader (goal: 2)": _ratio(chosen, cpu and last.get(cpu.name)),
    }


def _fastest(results: Mapping[str, Result], names: Iterable[str]) -> Result | None:
    there = [results[name] for name in names if name in results]
    return max(there, key=lambda result: result.images_per_s, default=None)


def _ratio(one: Result | None, other: Result | None) -> float | None:
    """Of two of a race, the median over its rounds."""
    if one is None or other is None:
        return None
    return statistics.median(a / b for a, b in zip(one.rates, other.rates, strict=True))


def _rate(result: Result | None) -> float | None:
    return result and result.images_per_s


def main() -> None:
    """Make two stores, run all races, keep what they come to."""
    parser = arguments(__doc__)
    parser.add_argument("--images", type=int, default=2048, help="different images in a store")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--threads", type=int, default=usable_cpus())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.3, help="of bare decoding on the CPU: a round's length")
    given = parser.parse_args()
    check_device(parser, given.device)
    names = ("size", "batch", "threads", "rounds", "seconds")
    settings = Settings(**{name: getattr(given, name) for name in names})
    base = Choice(threads=settings.threads)
    told = {**asdict(settings), "images": given.images, BASE: asdict(base)}
    record = Record("loader", given.device, told, given.limit, given.out)
    with tempfile.TemporaryDirectory() as folder:
        full, half = (
            Study(
                record,
                make_rows(Path(folder) / chroma, given.images, chroma=chroma),
                settings,
                base,
                chroma,
            )
            for chroma in ("444", "420")
        )
        record.end(**run(full, half))


if __name__ == "__main__":
    main()
