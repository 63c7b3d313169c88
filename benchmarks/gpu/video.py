"""Videos by a GPU's video engine (NVDEC) against PyAV on the CPU: whole conversions, and decoding alone.

Portraits in motion are generated as H.264, HEVC and VP9. `convert` rows are clips/s of `dataengine.convert`, with faces
and without, by 1, 4 and 16 worker processes, the two decoders in turn; `decode` rows are frames/s of one process, of
all frames and of those that a conversion asks for, with the difference between the two decoders' pixels (of 255).

With --device cpu all of it is tiny, DALI's own decoder of VP9 stands for NVDEC, and only what it reads is measured.

python -m benchmarks.gpu.video [--device cpu] [--limit 420] [--out FOLDER]
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, product
from pathlib import Path
from typing import Any, get_args

import av
import cv2
import numpy as np
import torch

from benchmarks.gpu.record import Record, Row, arguments, check_device, reason, show
from dataengine import nvdec, video
from dataengine.backends.slices import usable_cpus
from dataengine.convert import ClipDone, convert
from dataengine.executors import Processes
from dataengine.layouts.scan import ScanOptions
from dataengine.plan import ConvertSettings
from dataengine.sample.footage import draw_take, film, render
from dataengine.sample.identity import draw_face, generator
from dataengine.sample.styles import STYLES
from dataengine.settings import Decoder, ExtractSettings, Faces

CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"crf": "23", "preset": "fast", "threads": "1"}),
    "hevc": ("libx265", {"crf": "25", "preset": "fast", "x265-params": "log-level=error:pools=none"}),
    "vp9": ("libvpx-vp9", {"crf": "32", "b": "0", "deadline": "realtime", "cpu-used": "8"}),
}
"""The encoder of each codec, its settings near those of published datasets and quick."""
FPS, POLL_S = 25, 0.05
DECODERS: tuple[Decoder, ...] = get_args(Decoder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large the measurement is."""

    size: tuple[int, int] = (1280, 720)
    frames: int = 300
    wanted: int = 32
    """Frames that a conversion takes of each clip."""
    films: int = 8
    """Different clips; in the tree they stand under many names."""
    others: tuple[tuple[str, tuple[int, int]], ...] = (
        ("h264", (1920, 1080)),  # coded as 1088 lines: DALI cuts the rest off
        ("hevc", (1280, 720)),
        ("vp9", (1280, 720)),
    )
    """Of which one clip each is decoded beside the first of the films."""
    workers: tuple[int, ...] = (16, 4, 1)
    faces: tuple[Faces, ...] = ("track", "none")
    clips_per_worker: int = 3
    rounds: int = 2
    """Of conversions."""
    decodings: int = 2


TINY = Scale(
    size=(320, 180),
    frames=12,
    wanted=4,
    films=1,
    others=(("vp9", (320, 180)),),
    workers=(1,),
    clips_per_worker=2,
    rounds=1,
    decodings=1,
)


def write_clip(path: Path, number: int, codec: str, size: tuple[int, int], frames: int) -> Path:
    """A generated portrait in motion, another identity for each number."""
    encoder, options = CODECS[codec]
    style, random = STYLES["ff++"], generator("video", number)
    footage = film(draw_take(draw_face("video", number), style, size, frames, random), style, random)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(render(footage, index), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def make_clips(folder: Path, scale: Scale) -> dict[str, list[Path]]:
    """The files by "CODEC WIDTHxHEIGHT", all written at once: the films first, then one of each of the others."""
    kinds = [("h264", scale.size)] * scale.films + list(scale.others)
    names = [f"{codec} {width}x{height}" for codec, (width, height) in kinds]
    paths = [folder / f"{number}-{codec}.mp4" for number, (codec, _) in enumerate(kinds)]
    with ProcessPoolExecutor(usable_cpus(), multiprocessing.get_context("spawn")) as pool:
        made = pool.map(write_clip, paths, range(len(kinds)), *zip(*kinds, strict=True), [scale.frames] * len(kinds))
        found: dict[str, list[Path]] = {}
        for name, path in zip(names, made, strict=True):
            found.setdefault(name, []).append(path)
    return found


def make_tree(root: Path, films: Sequence[Path], clips: int) -> Path:
    """Two class folders with so many clips, each of another identity: the films in turn, under new names."""
    for number, source in zip(range(clips), cycle(films), strict=False):
        path = root / ("real", "Deepfakes")[number % 2] / f"p{number:04d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, path)
    return root


def steady_rate(times: Sequence[float], workers: int) -> float | None:
    """Clips/s from when so many clips, one a worker, were done to the last: start-up is not in it. None for too few."""
    ordered = sorted(times)
    if len(ordered) <= workers:
        return None
    return (len(ordered) - workers) / (ordered[-1] - ordered[workers - 1])


def converted(tree: Path, faces: Faces, workers: int, decoder: Decoder, wanted: int) -> Row:
    """One conversion by so many processes.

    clips_per_s leaves start-up out and seconds has it in; decode_s is the mean of a clip's, faces and encoding not in
    it; gpu_mb is what all processes together held on the GPU at most.
    """
    settings = ConvertSettings(
        extract=ExtractSettings(frames=wanted, faces=faces, decoder=decoder), shard_samples=wanted
    )
    times: list[float] = []

    def on_clip(done: ClipDone) -> None:
        times.append(time.perf_counter())

    with tempfile.TemporaryDirectory(dir=tree.parent) as out:
        begun = time.perf_counter()
        with peak_gpu_mb() as peak:
            done = convert("folder", tree, out, settings, ScanOptions(), executor=Processes(workers), on_clip=on_clip)
        seconds = time.perf_counter() - begun
        clips = done.store.clips().to_pylist()
    if failed := [clip for clip in clips if clip["status"] == "failed"]:
        raise RuntimeError(f"{len(failed)} of {len(clips)} clips failed: {failed[0]['reason']}")
    return {
        "clips": len(clips),
        "clips_per_s": steady_rate(times, workers),
        "seconds": seconds,
        "decode_s": statistics.mean(clip["decode_s"] for clip in clips),
        "samples": sum(clip["samples"] for clip in clips),
        "gpu_mb": peak[0],
    }


@contextmanager
def peak_gpu_mb() -> Iterator[list[float | None]]:
    """The most memory that came to be held on the GPU meanwhile, by whomever, in MB; None where there is no GPU."""
    peak: list[float | None] = [None]
    if not torch.cuda.is_available():
        yield peak
        return
    before, stop = torch.cuda.mem_get_info()[0], threading.Event()

    def watch() -> None:
        while not stop.wait(POLL_S):
            peak[0] = max(peak[0] or 0.0, (before - torch.cuda.mem_get_info()[0]) / 1e6)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def measure_conversions(record: Record, films: Sequence[Path], folder: Path, scale: Scale, number: int) -> None:
    """A row of round `number` for each kind of faces, number of workers and decoder; the decoders in turn."""
    cores = usable_cpus()
    for faces, workers in product(scale.faces, scale.workers):
        tree = folder / f"tree-{workers}"
        if not tree.exists():
            make_tree(tree, films, workers * scale.clips_per_worker)
        for decoder in DECODERS if number % 2 == 0 else reversed(DECODERS):
            about = {"what": "convert", "faces": faces, "workers": workers, "decoder": decoder, "round": number}
            if workers > cores:
                record.miss(f"there are {cores} cores", **about)
            elif decoder == "nvdec" and record.device == "cpu":
                record.miss("it needs a GPU's video engine", **about)
            else:
                kept(record, about, partial(converted, tree, faces, workers, decoder, scale.wanted))


def measure_decoding(record: Record, clips: dict[str, list[Path]], scale: Scale) -> None:
    """A row for each clip and number of wanted frames: medians of rounds in turn, and how the pixels differ."""
    device: nvdec.Device = "cpu" if record.device == "cpu" else "mixed"
    for name, paths in clips.items():
        for wanted in (scale.wanted, scale.frames):
            about = {"what": "decode", "clip": name, "wanted": wanted}
            if device == "cpu" and not name.startswith("vp9"):
                record.miss("DALI's CPU decoder reads VP8, VP9 and MJPEG alone", **about)
            else:
                kept(record, about, partial(decoded, paths[0], wanted, scale, device))


def decoded(path: Path, wanted: int, scale: Scale, device: nvdec.Device) -> Row:
    """Frames/s of both decoders in one process, and the mean and the largest difference of their pixels."""
    indices = video.frame_indices(scale.frames, wanted)

    def by_cpu() -> Iterator[tuple[int, video.Pixels]]:
        return video.decode_frames(path, indices, num_frames=scale.frames)

    def by_gpu() -> Iterator[tuple[int, video.Pixels]]:
        return nvdec.decode_frames(path, indices, num_frames=scale.frames, device=device)

    means, most = [], 0  # of each frame's difference; this also warms both up
    for (_, ours), (_, theirs) in zip(by_cpu(), by_gpu(), strict=True):
        off = cv2.absdiff(ours, theirs)
        means.append(off.mean())
        most = max(most, int(off.max()))
    spent: dict[str, list[float]] = {"cpu": [], "nvdec": []}
    for number in range(scale.decodings):
        for which, frames in (("cpu", by_cpu), ("nvdec", by_gpu))[:: 1 if number % 2 == 0 else -1]:
            begun = time.perf_counter()
            count = sum(1 for _ in frames())
            spent[which].append((time.perf_counter() - begun) / count)
    return {
        **{f"{which}_frames_per_s": 1 / statistics.median(seconds) for which, seconds in spent.items()},
        "mean_difference": float(np.mean(means)),
        "largest_difference": most,
    }


def kept(record: Record, about: Row, measured: Callable[[], Row]) -> None:
    """Add a row, or why there is none: the time was up, or an error."""
    if record.late():
        record.miss("the time was up", **about)
        return
    try:
        record.add(**about, **measured())
    except Exception as error:  # whatever a GPU says, the other rows go on
        record.miss(reason(error), **about)


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Clips/s by each decoder for each kind of faces and number of workers: medians of the rounds, and the ratio."""
    found: dict[str, Any] = {}
    for row in rows:
        if row["what"] == "convert" and row["clips_per_s"]:
            place = found.setdefault(f"faces {row['faces']}, {row['workers']} workers", {})
            place.setdefault(row["decoder"], []).append(row["clips_per_s"])
    for place in found.values():
        place.update({decoder: round(statistics.median(rates), 2) for decoder, rates in place.items()})
        if len(place) == len(DECODERS):
            place["ratio"] = round(place["nvdec"] / place["cpu"], 2)
    return found


def main() -> None:
    parser = arguments(__doc__)
    options = parser.parse_args()
    check_device(parser, options.device)
    scale = TINY if options.device == "cpu" else Scale()
    record = Record("video", options.device, asdict(scale), options.limit, options.out)
    with tempfile.TemporaryDirectory() as folder:
        clips = make_clips(Path(folder) / "clips", scale)
        films = next(iter(clips.values()))
        measure_conversions(record, films, Path(folder), scale, 0)
        measure_decoding(record, clips, scale)
        for number in range(1, scale.rounds):
            measure_conversions(record, films, Path(folder), scale, number)
    converting = [row for row in record.rows if row["what"] == "convert"]
    decoding = [row for row in record.rows if row["what"] == "decode"]
    show(converting, {name: name for name in converting[0]} if converting else {}, "Conversion")
    show(decoding, {name: name for name in decoding[0]} if decoding else {}, "Decoding alone, one process")
    record.end(clips_per_s=summary(record.rows))


if __name__ == "__main__":
    main()
