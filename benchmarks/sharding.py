"""What extracting faces costs over decoding alone: `python benchmarks/sharding.py [--json FILE]`.

Clips of 300 frames at 1280x720 are generated: portraits that move as people do before a camera, and one of a head that
sways too fast for tracks to hold, so that a face is looked for in every sampled frame. Then, on one thread and in
alternating rounds, each is decoded with bare PyAV up to the last frame wanted, and extracted in full (decoding, faces,
crops, encoding). Each ratio is of two runs side by side; the medians are of ratios, not of times.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from dataengine.extract import extract
from dataengine.records import REAL, Clip, ClipReport
from dataengine.sample.encode import encode
from dataengine.sample.footage import draw_take, film, render
from dataengine.sample.identity import draw_face, generator
from dataengine.sample.styles import STYLES
from dataengine.settings import ExtractSettings
from dataengine.video import count_frames, frame_indices

SIZE, FRAMES, FPS, CRF = (1280, 720), 300, 25, 23
TARGET = 2.0
"""The most that extraction may cost, in times of decoding alone, for either kind of clip."""
SWAY, SWAY_S = 1.2, 3.0
"""How far a fast head sways to each side, in units of which a face is some 1.8 wide, and how long it takes there and
back: it moves by up to half its width from one sampled frame to the next."""


def write_clip(path: Path, number: int, *, fast: bool) -> None:
    """A generated portrait in motion, another identity for each number."""
    words = ("benchmark", number)
    style, random = STYLES["ff++"], generator(*words)
    if fast:
        style = replace(style, head=(0.35, 0.4))  # with room to move in
    take = draw_take(draw_face(*words), style, SIZE, FRAMES, random)
    if fast:
        sway = SWAY * np.sin(np.arange(FRAMES) * 2 * np.pi / (SWAY_S * FPS))
        take = replace(take, motion=replace(take.motion, x=take.motion.x + sway.astype(take.motion.x.dtype)))
    footage = film(take, style, random)
    path.write_bytes(encode((render(footage, k) for k in range(FRAMES)), SIZE, crf=CRF, fps=FPS))


def clip_of(path: Path) -> Clip:
    return Clip(
        clip=path.stem,
        paths=(path.name,),
        media="video",
        dataset="benchmark",
        split="",
        raw_method=REAL,
        method=REAL,
        category=REAL,
        quality="",
        target_id=path.stem,
        source_id="",
    )


def decode(path: Path, last: int) -> None:
    """Sequential decoding up to the frame `last`, nothing converted and nothing kept."""
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for index, _ in enumerate(container.decode(video=0)):
            if index == last:
                return


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(paths: list[Path], rounds: int, settings: ExtractSettings) -> list[dict[str, Any]]:
    """One row a round and clip."""
    reports: list[ClipReport] = []

    def extracted(path: Path) -> None:
        reports.append(extract(clip_of(path), path.parent, settings)[1])

    extracted(paths[0])  # loads the detector
    rows = []
    for number in range(rounds):
        for path in paths:
            last = frame_indices(count_frames(path), settings.frames)[-1]
            decoding, decoding_cpu = timed(partial(decode, path, last))
            whole, processor = timed(partial(extracted, path))
            row = {
                "round": number,
                "clip": path.stem,
                "decode_s": decoding,
                "extract_s": whole,
                "ratio": whole / decoding,
                "cpu_ratio": processor / decoding_cpu,
                "cores": processor / whole,
                "faces_detected": reports[-1].faces_detected,
                "faces_tracked": reports[-1].faces_tracked,
                "faces_missing": reports[-1].faces_missing,
            }
            print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
            rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=3, help="generated portraits, each another identity (default: 3)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each clip (default: 5)")
    parser.add_argument(
        "--stride", type=int, default=ExtractSettings().detect_stride, help="detect every so many frames"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the result to this file")
    options = parser.parse_args()

    cv2.setNumThreads(1)
    settings = ExtractSettings(detect_stride=options.stride)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.mp4" for number in range(options.clips)] + [Path(folder) / "fast.mp4"]
        for number, path in enumerate(paths):
            print(f"generating clip {number + 1} of {len(paths)} ...", flush=True)
            write_clip(path, number, fast=path.stem == "fast")
        rows = measure(paths, options.rounds, settings)

    kinds = {
        "portraits": [row for row in rows if row["clip"] != "fast"],
        "fast": [row for row in rows if row["clip"] == "fast"],
    }
    medians = ("decode_s", "extract_s", "ratio", "cpu_ratio", "cores")
    result = {
        "size": "x".join(map(str, SIZE)),
        "frames": FRAMES,
        "sampled": settings.frames,
        "detect_stride": settings.detect_stride,
        "clips": options.clips,
        "rounds": options.rounds,
        "target": TARGET,
        **{kind: {key: statistics.median(row[key] for row in part) for key in medians} for kind, part in kinds.items()},
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "av": av.__version__,
            "opencv": cv2.__version__,
        },
        "rows": rows,
    }
    for kind, part in kinds.items():
        of = result[kind]
        print(
            f"{kind}, median of {len(part)}: decoding {of['decode_s']:.3f} s, extracting {of['extract_s']:.3f} s, "
            f"ratio {of['ratio']:.2f} (target: at most {TARGET:g}), of processor time {of['cpu_ratio']:.2f}"
        )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
