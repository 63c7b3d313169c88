"""The README's table of what was measured on a GPU, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from benchmarks.gpu.results import (
    NOT_MEASURED,
    Told,
    conversions,
    decodings,
    demos,
    loader_goals,
    loaders,
    totals,
    trainings,
    why_missing,
)

CODECS = {"h264": "H.264", "hevc": "HEVC", "vp9": "VP9"}


def short(model: str) -> str:
    """A network's name without what it was trained on, and on which patches or windows."""
    return re.sub(r"_(patch|window).*", "", model.partition(".")[0]).removeprefix("tf_")


def table(records: Mapping[str, Told]) -> str:
    """One row a figure; a script without any has one row that says why."""
    tried = any(told["device"] == "cpu" for told in records.values())
    rows = [("what", "tried on a CPU" if tried else "dfx on the GPU", "beside it, on the same machine"), ("---",) * 3]
    for name, (what, rows_of) in PARTS.items():
        found = rows_of(records[name]) if name in records else []
        rows += found or [(what, why_missing(records.get(name)), "")]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _loader(told: Told) -> list[tuple[str, str, str]]:
    bars = loaders(told)
    ours = [bar for bar in bars if bar.kind == "dfx"]
    if not ours:
        return []
    what = f"loader, {told['settings']['size']} px, batches of {told['settings']['batch']}, images/s"
    said = ", ".join(f"{bar.label.removeprefix('dfx, ')} **{bar.images_per_s:,.0f}**" for bar in ours)
    rows = [(what, said, "; ".join(loader_goals(told)))]
    rows += [("", "", f"{bar.label} {bar.images_per_s:,.0f}") for bar in reversed(bars) if bar.kind != "dfx"]
    missing = [row for row in told["not_measured"] if row["race"] == "beside"]
    return rows + [("", "", f"{row.get('name', 'all others')} {NOT_MEASURED}: {row['why']}") for row in missing]


def _training(told: Told) -> list[tuple[str, str, str]]:
    measured = [
        (
            _name(row),
            f"**{row['images_per_s']:,.0f}**, waiting {100 * row['host_wait']:.1f} % of a step",
            f"cached batches {row['images_per_s_cached']:,.0f} (idle {100 * row['idle']:.1f} %)",
        )
        for row in trainings(told)
    ]
    missing = [(_name(row), f"{NOT_MEASURED}: {row['why']}", "") for row in told["not_measured"]]
    return measured + missing


def _name(row: Told) -> str:
    words = [short(row["model"]), *(["compiled"] if row["compile"] else [])]
    return f"training, {', '.join(words + ([row['augment']] if row['augment'] != 'crop' else []))}, images/s"


def _sharing(told: Told) -> list[tuple[str, str, str]]:
    pays = told["found"].get("sharing_pays_up_to", {})
    rows = []
    for model, by_count in totals(told).items():
        counts, rates = (", ".join(map(str, by_count)), ", ".join(f"{rate:,.0f}" for rate in by_count.values()))
        beside = f"sharing pays up to {pays[model]}" if model in pays else ""
        rows.append((f"{counts} trainings of {short(model)} at once, images/s together", rates, beside))
    for row in told["not_measured"]:
        name = f"{row['trainings']} trainings of {short(row['model'])} at once, images/s together"
        rows.append((name, f"{NOT_MEASURED}: {row['why']}", ""))
    return rows


def _video(told: Told) -> list[tuple[str, str, str]]:
    rows = []
    for (faces, workers), by_decoder in conversions(told).items():
        what = "faces followed" if faces == "track" else "whole frames"
        cpu, gpu = (by_decoder.get(decoder) for decoder in ("cpu", "nvdec"))
        beside = "PyAV " + (f"{cpu:.3g}" if cpu else NOT_MEASURED) + (f" ({gpu / cpu:.2f}x)" if cpu and gpu else "")
        name = f"conversion by NVDEC, {what}, {workers} worker{'s' if workers > 1 else ''}, clips/s"
        rows.append((name, f"**{gpu:.3g}**" if gpu else NOT_MEASURED, beside))
    for row in decodings(told):
        codec, _, size = row["clip"].partition(" ")
        name = f"decoding {CODECS.get(codec, codec)} {size}, {row['wanted']} frames of a clip, frames/s of one process"
        if "why" in row:
            rows.append((name, f"{NOT_MEASURED}: {row['why']}", ""))
            continue
        off = f"PyAV {row['cpu_frames_per_s']:,.0f}; pixels differ by {row['mean_difference']:.2f} of 255 in the mean"
        rows.append((name, f"**{row['nvdec_frames_per_s']:,.0f}**", off))
    return rows


def _demo(told: Told) -> list[tuple[str, str, str]]:
    found = demos(told)
    if not found:
        return []
    said = {on: f"{found[on]['all']:,.0f}" if on in found else NOT_MEASURED for on in ("cuda", "cpu")}
    return [("`dfx demo`, seconds", f"**{said['cuda']}**", f"GPU hidden {said['cpu']}")]


PARTS = {
    "loader": ("loader, images/s", _loader),
    "training": ("training, images/s", _training),
    "sharing": ("trainings sharing the GPU, images/s", _sharing),
    "video": ("conversion by NVDEC, clips/s", _video),
    "demo": ("`dfx demo`, seconds", _demo),
}
"""By script: what it measures, and its rows."""
