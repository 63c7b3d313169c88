"""The script that measures videos, at its smallest and on the CPU."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.gpu.record import Record
from benchmarks.gpu.video import TINY, measure_conversions, measure_decoding, steady_rate, summary, write_clip

pytest.importorskip("nvidia.dali", reason="DALI exists for Linux alone")


def test_both_kinds_of_rows_are_measured_and_what_needs_a_gpu_is_named(tmp_path: Path) -> None:
    scale = replace(TINY, faces=("none",))
    record = Record("video", "cpu", {}, out=tmp_path)
    names = {codec: f"{codec} 320x180" for codec in ("h264", "vp9")}
    clips = {
        name: [write_clip(tmp_path / f"{codec}.mp4", 0, codec, scale.size, scale.frames)]
        for codec, name in names.items()
    }
    measure_conversions(record, clips[names["h264"]], tmp_path, scale, 0)
    measure_decoding(record, clips, scale)
    told = json.loads((tmp_path / "gpu-video-cpu.json").read_text())
    (conversion,) = (row for row in told["rows"] if row["what"] == "convert")
    assert (conversion["clips"], conversion["samples"], conversion["decoder"]) == (2, 8, "cpu")
    assert conversion["clips_per_s"] > 0
    for row in (row for row in told["rows"] if row["what"] == "decode"):
        assert row["clip"] == names["vp9"]
        assert row["largest_difference"] <= 2
    why = {(row["what"], row["why"]) for row in told["not_measured"]}
    assert ("convert", "it needs a GPU's video engine") in why
    assert ("decode", "DALI's CPU decoder reads VP8, VP9 and MJPEG alone") in why


def test_starting_the_workers_is_not_in_the_rate() -> None:
    assert steady_rate([5.0, 5.5, 6.0, 6.5, 7.0, 7.5], workers=2) == 4 / 2.0
    assert steady_rate([5.0, 5.5], workers=2) is None


def test_the_summary_holds_medians_and_their_ratio() -> None:
    rows = [
        {"what": "convert", "faces": "track", "workers": 4, "decoder": decoder, "clips_per_s": rate}
        for decoder, rate in (("cpu", 1.0), ("cpu", 3.0), ("nvdec", 4.0))
    ]
    assert summary(rows) == {"faces track, 4 workers": {"cpu": 2.0, "nvdec": 4.0, "ratio": 2.0}}


def test_more_workers_than_cores_are_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.gpu.video.usable_cpus", lambda: 0)
    record = Record("video", "cpu", {})
    clip = tmp_path / "clip.mp4"
    clip.touch()
    measure_conversions(record, [clip], tmp_path, TINY, 0)
    assert {row["why"] for row in record.not_measured} == {"there are 0 cores"}
