"""What extracting faces costs over decoding alone: `python benchmarks/sharding.py [--json FILE]`.

Clips of 300 frames at 1280x720 are generated; then, on one thread and in alternating rounds, each is decoded with
bare PyAV up to the last frame wanted, and extracted in full (decoding, faces, crops, encoding).
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
from functools import partial
from pathlib import Path

import av
import cv2

from dataengine.extract import ExtractSettings, extract
from dataengine.records import REAL, Clip, ClipReport
from dataengine.sample.encode import encode
from dataengine.sample.footage import draw_take, film, render
from dataengine.sample.identity import draw_face, generator
from dataengine.sample.styles import STYLES
from dataengine.video import count_frames, frame_indices

SIZE, FRAMES, FPS, CRF = (1280, 720), 300, 25, 23
TARGET = 3.0
"""The most that extraction may cost, in times of decoding alone."""


def write_clip(path: Path, number: int) -> None:
    """A generated portrait in motion, another identity for each number."""
    words = ("benchmark", number)
    style, random = STYLES["ff++"], generator(*words)
    footage = film(draw_take(draw_face(*words), style, SIZE, FRAMES, random), style, random)
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


def measure(paths: list[Path], rounds: int, settings: ExtractSettings) -> list[dict[str, float]]:
    """One row a round and clip."""
    reports: list[ClipReport] = []

    def extracted(path: Path) -> None:
        reports.append(extract(clip_of(path), path.parent, settings)[1])

    extracted(paths[0])  # loads the detector
    rows = []
    for number in range(rounds):
        for path in paths:
            last = frame_indices(count_frames(path), settings.frames)[-1]
            decoding, _ = timed(partial(decode, path, last))
            whole, processor = timed(partial(extracted, path))
            row = {
                "round": number,
                "clip": int(path.stem),
                "decode_s": decoding,
                "extract_s": whole,
                "ratio": whole / decoding,
                "cores": processor / whole,
                "faces_detected": reports[-1].faces_detected,
                "faces_tracked": reports[-1].faces_tracked,
                "faces_missing": reports[-1].faces_missing,
            }
            print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
            rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=3, help="generated clips, each another identity (default: 3)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each clip (default: 5)")
    parser.add_argument(
        "--stride", type=int, default=ExtractSettings().detect_stride, help="detect every so many frames"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the result to this file")
    options = parser.parse_args()

    cv2.setNumThreads(1)
    settings = ExtractSettings(detect_stride=options.stride)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.mp4" for number in range(options.clips)]
        for number, path in enumerate(paths):
            print(f"generating clip {number + 1} of {options.clips} ...", flush=True)
            write_clip(path, number)
        rows = measure(paths, options.rounds, settings)

    result = {
        "size": "x".join(map(str, SIZE)),
        "frames": FRAMES,
        "sampled": settings.frames,
        "detect_stride": settings.detect_stride,
        "clips": options.clips,
        "rounds": options.rounds,
        **{key: statistics.median(row[key] for row in rows) for key in ("decode_s", "extract_s", "ratio", "cores")},
        "ratio_max": max(row["ratio"] for row in rows),
        "target": TARGET,
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "av": av.__version__,
            "opencv": cv2.__version__,
        },
        "rows": rows,
    }
    print(
        f"median of {len(rows)}: decoding {result['decode_s']:.3f} s, extracting {result['extract_s']:.3f} s, "
        f"ratio {result['ratio']:.2f} (target: at most {TARGET:g}), {result['cores']:.2f} cores"
    )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
