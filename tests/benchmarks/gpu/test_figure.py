"""The chart and the table of what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu.figure import save
from benchmarks.gpu.results import SHOWN, conversions, read
from benchmarks.gpu.table import short, table
from dataengine.errors import DfxError


def told(name: str, rows: list[dict[str, Any]], *not_measured: dict[str, Any], **found: Any) -> dict[str, Any]:
    machine = {"processor": "a CPU", "usable_cpus": 16, "gpus": ["A GPU"], "driver": "1", "cuda": "13", "python": "3"}
    return {
        "name": name,
        "device": "cuda",
        "machine": {**machine, "versions": {"torch": "2", "nvidia-dali-cuda130": "2"}},
        "settings": {"frames": 300, "size": [1280, 720]},
        "rows": rows,
        "found": found,
        "not_measured": list(not_measured),
    }


def convert(decoder: str, rate: float, **how: Any) -> dict[str, Any]:
    return {"what": "convert", "faces": "track", "workers": 4, "decoder": decoder, "clips_per_s": rate, **how}


TRAINED = {
    "model": "swinv2_small_window8_256",
    "augment": "crop",
    "compile": False,
    "images_per_s": 985.0,
    "images_per_s_cached": 1000.0,
    "host_wait": 0.004,
    "idle": 0.015,
}


def raced(race: str, **rates: float) -> list[dict[str, Any]]:
    return [{"race": race, "name": name, "what": f"{name}!", "images_per_s": rate} for name, rate in rates.items()]


RECORDS = {
    "loader": {
        **told(
            "loader",
            [
                *raced("beside", base=900.0, decode=990.0, decode_in_place=1000.0, cpu=300.0, torchvision_gpu=700.0),
                *raced("beside", raw_read=99999.0, feed=88888.0),
                *raced("threads", base=901.0),
                *raced("best", base=905.0, faster=950.0),
            ],
            {"race": "beside", "name": "ffcv", "why": "it is not installed"},
        ),
        "settings": {"size": 224, "batch": 256},
        "found": {"base_to_ceiling": 0.9, "best_images_per_s": 950.0, "best_to_best_cpu_loader (goal: 2)": 3.1},
    },
    "training": told("training", [TRAINED], {**TRAINED, "compile": True, "why": "the time was up"}),
    "sharing": told(
        "sharing",
        [{"model": "resnet50", "trainings": count, "images_per_s": 100.0 * count} for count in (2, 1)],
        sharing_pays_up_to={"resnet50": 2},
    ),
    "video": told(
        "video", [convert("cpu", 2.0), convert("cpu", 4.0), convert("nvdec", 6.0), convert("cpu", 1.0, workers=1)]
    ),
    "demo": told(
        "demo", [{"on": "cuda", "sample": 9.0, "shard": 8.0, "bench": 7.0, "tune": 45.0, "report": 3.0, "all": 72.0}]
    ),
}


def test_the_table_tells_each_figure_beside_what_it_is_compared_with() -> None:
    rows = table(RECORDS).splitlines()
    assert (
        "| training, swinv2_small, images/s | **985**, waiting 0.4 % of a step | cached batches 1,000 (idle 1.5 %) |"
        in rows
    )
    assert "| 1, 2 trainings of resnet50 at once, images/s together | 100, 200 | sharing pays up to 2 |" in rows
    assert "| conversion by NVDEC, faces followed, 4 workers, clips/s | **6** | PyAV 3 (2.00x) |" in rows


def test_what_has_no_figure_says_so_with_its_reason() -> None:
    rows = table(RECORDS).splitlines()
    assert "| training, swinv2_small, compiled, images/s | not measured: the time was up |  |" in rows
    assert "| conversion by NVDEC, faces followed, 1 worker, clips/s | not measured | PyAV 1 |" in rows
    assert "| loader, images/s | not measured |  |" in table({}).splitlines()
    assert "| `dfx demo`, seconds | **72** | GPU hidden not measured |" in rows
    late = {"why": "the time was up"}
    part = {
        "sharing": told("sharing", [], {"model": "resnet50", "trainings": 8, **late}),
        "video": told(
            "video", [], convert("nvdec", 0, **late), {"what": "decode", "clip": "vp9 9x9", "wanted": 3, **late}
        ),
    }
    rows = table(part).splitlines()
    assert "| 8 trainings of resnet50 at once, images/s together | not measured: the time was up |  |" in rows
    assert "| conversion by NVDEC, faces followed, 4 workers, clips/s | not measured | PyAV not measured |" in rows
    assert any(row.startswith("| decoding VP9 9x9") and "not measured: the time was up" in row for row in rows)
    gone = {"demo": told("demo", [], {"on": "cuda", "why": "Ray is not installed"})}
    assert "| `dfx demo`, seconds | not measured: Ray is not installed |  |" in table(gone).splitlines()


def test_the_loader_stands_beside_its_ceiling_and_every_other_one() -> None:
    assert table(RECORDS).splitlines()[2:7] == [
        "| loader, 224 px, batches of 256, images/s | defaults **900**, best settings **950** "
        "| defaults 0.90 of the ceiling; best settings 3.1× the best CPU loader |",
        "|  |  | DALI decoding alone 1,000 |",
        "|  |  | torchvision_gpu! 700 |",
        "|  |  | cpu! 300 |",
        "|  |  | ffcv not measured: it is not installed |",
    ]


def test_rounds_count_by_their_median_and_faces_come_first() -> None:
    rows = [convert("cpu", rate, faces=faces) for faces in ("none", "track") for rate in (1.0, 9.0, 2.0)]
    assert conversions(told("video", rows)) == {("track", 4): {"cpu": 2.0}, ("none", 4): {"cpu": 2.0}}


@pytest.mark.parametrize("names", [SHOWN, ()], ids=["some", "none"])
def test_a_chart_is_drawn_of_whatever_is_there(names: tuple[str, ...], tmp_path: Path) -> None:
    save({name: RECORDS[name] for name in names if name in RECORDS}, tmp_path / "gpu.png")
    assert (tmp_path / "gpu.png").read_bytes().startswith(b"\x89PNG")


def test_results_of_two_machines_are_not_mixed(tmp_path: Path) -> None:
    for machine in ("a", "b"):
        (tmp_path / f"gpu-demo-{machine}.json").write_text(json.dumps(RECORDS["demo"]))
    with pytest.raises(DfxError, match=r"gpu-demo-a.json and .*gpu-demo-b.json are both of demo"):
        read(tmp_path)
    (tmp_path / "gpu-demo-b.json").unlink()
    assert read(tmp_path) == {"demo": RECORDS["demo"]}


def test_a_network_is_called_by_its_family_and_size() -> None:
    assert [short(name) for name in ("tf_efficientnetv2_b0", "vit_base_patch16_clip_224.openai", "resnet50")] == [
        "efficientnetv2_b0",
        "vit_base",
        "resnet50",
    ]
