"""`dfx shard`: how faces are taken, as the command line has it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from dataengine.errors import DfxError
from tests.dataengine.faces.drawn import portrait


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips of one image with one face."""
    root = tmp_path_factory.mktemp("tree")
    for name in ("real", "Deepfakes"):
        (root / name).mkdir()
        for number in range(3):
            image = portrait(320, 240, (150 + 10 * number, 120, 60))
            cv2.imwrite(str(root / name / f"{number:03d}.png"), image[..., ::-1])
    return root


def shard(tree: Path, out: Path, *options: str):
    given = ["shard", "folder", "--root", str(tree), "--out", str(out), "--workers", "0", *options]
    return CliRunner().invoke(app, given)


def test_boxes_of_a_file_are_used_and_what_does_not_fit_is_said(tree: Path, tmp_path: Path) -> None:
    paths = [f"{name}/{number:03d}.png" for name in ("real", "Deepfakes") for number in range(3)]
    lines = ["path,frame,x0,y0,x1,y1", *(f"{path},0,100,80,160,140" for path in [*paths[1:], "no/such.png"])]
    (tmp_path / "boxes.csv").write_text("\n".join(lines) + "\n")
    done = shard(tree, tmp_path / "out", "--boxes", str(tmp_path / "boxes.csv"), "--margin", "1", "--size", "50")
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "boxes.csv: paths that are no file of a clip: 1 (first: no/such.png)" in said
    assert f"boxes.csv: clips without a box, which give no image: 1 (first: {paths[0]})" in said
    assert "1 x no box found in 1 frames" in said
    index = pq.read_table(tmp_path / "out" / "index.parquet").to_pylist()
    assert len(index) == 5
    assert {(row["box_x0"], row["box_y1"], row["origin"], row["width"]) for row in index} == {(100, 140, "given", 50)}
    assert str(tmp_path) not in (tmp_path / "out" / "dataset.json").read_text()


def test_a_shard_whose_clips_all_failed_is_not_counted_by_shard_or_info(tmp_path: Path) -> None:
    for split, data in (("train", cv2.imencode(".png", portrait(64, 64))[1].tobytes()), ("test", b"no image")):
        (tmp_path / "tree" / split / "real").mkdir(parents=True)
        (tmp_path / "tree" / split / "real" / "000.png").write_bytes(data)
    done = shard(tmp_path / "tree", tmp_path / "out", "--faces", "none", "--json", str(tmp_path / "said.json"))
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "1 image of 2 clips in 1 shard, " in said
    assert "1 clip failed" in said
    assert json.loads((tmp_path / "said.json").read_text())["shards"] == 1
    told = " ".join(CliRunner().invoke(app, ["info", str(tmp_path / "out")]).output.split())
    assert "1 image of 2 clips, 1 shard, " in told


def test_other_boxes_make_another_store(tree: Path, tmp_path: Path) -> None:
    boxes = tmp_path / "boxes.csv"
    for x1 in (160, 170):
        boxes.write_text(f"path,frame,x0,y0,x1,y1\nreal/000.png,0,100,80,{x1},140\n")
        done = shard(tree, tmp_path / "out", "--boxes", str(boxes))
    assert isinstance(done.exception, DfxError)
    assert "holds another store (boxes " in str(done.exception)


def test_the_options_for_faces_reach_the_settings(tree: Path, tmp_path: Path) -> None:
    named = {"faces": "all", "min_face": 24, "min_score": 0.8, "detect_stride": 2, "margin": 1.5, "size": 64}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in named.items()]
    done = shard(tree, tmp_path / "out", "--align", *options)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "dataset.json").read_text())["settings"]["extract"]
    assert {**named, "align": True}.items() <= found.items()
    assert found["detector"] == "mtcnn"
    assert len(found["weights"]) == 64


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--align", "--detector", "none"], "nothing gives landmarks to align by"),
        (["--detector", "retina"], "unknown detector 'retina'"),
        (["--detector", "yunet", "--detector-weights", "missing.onnx"], "missing.onnx cannot be read"),
        (["--detector-weights", "README.md"], "'mtcnn' takes no weights"),
        (["--faces", "some"], "--faces is 'some'"),
        (["--detect-stride", "0"], "--detect-stride is 0;"),
        (["--jpeg-quality", "0"], "--jpeg-quality is 0;"),
        (["--align", "--faces", "none"], "--align: nothing gives landmarks to align by with --faces none;"),
        (["--boxes", "README.md", "--faces", "none"], "--faces none cuts nothing; leave one out"),
    ],
)
def test_what_cannot_be_is_refused_with_one_line_and_nothing_written(tree, tmp_path, options, told) -> None:
    done = shard(tree, tmp_path / "out", *options)
    assert isinstance(done.exception, DfxError)
    assert told in str(done.exception)
    assert "\n" not in str(done.exception)
    assert not (tmp_path / "out").exists()
