"""`dfx shard` with a list of files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cli.shard import shard
from dataengine.sample import generate
from dataengine.selection import select
from dataengine.store import open_store

app = typer.Typer()
app.command()(shard)


def test_a_manifest_is_converted_beside_its_list_into_a_store_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    generate("manifest", "mine", clips=2, frames=2, size=(160, 120), workers=0)
    (tmp_path / "mine/manifest.csv").rename(tmp_path / "mine/people.csv")
    done = CliRunner().invoke(app, ["manifest", "mine/people.csv", "--faces", "none", "--workers", "0"])
    assert done.exit_code == 0, done.output
    store = open_store("shards/people")
    clips = store.clips().to_pylist()
    assert {clip["dataset"] for clip in clips} == {"people"}
    assert sorted({clip["method"] for clip in clips}) == [
        *("Deepfakes", "Face2Face", "FaceShifter", "FaceSwap", "NeuralTextures", "real"),
    ]
    assert all(clip["samples"] == 2 and clip["status"] == "ok" for clip in clips)


def test_a_form_of_a_dataset_is_a_store_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    generate("forgerynet", "data/forgerynet", clips=2, frames=2, size=(160, 120), workers=0)
    for form, out in ((), "shards/forgerynet"), (("--from", "image"), "shards/forgerynet-image"):
        done = CliRunner().invoke(app, ["forgerynet", *form, "--faces", "none", "--workers", "0"])
        assert done.exit_code == 0, done.output
        assert open_store(out).meta["options"]["form"] == "".join(form[1:])
    done = CliRunner().invoke(app, ["forgerynet", "--out", out, "--faces", "none", "--workers", "0"])
    assert "another store (--from image there, no --from here)" in str(done.exception)


def test_images_go_in_with_their_bytes_and_the_lists_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = {}
    for number, (name, side) in enumerate({"real/a": 20, "real/b": 30, "GAN/a": 40, "GAN/b": 50}.items()):
        path = Path("data/images") / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((side, side + 8, 3), number, np.uint8))
        files[f"images/{name}/000000"] = path.read_bytes()
    Path("data/images/train.txt").write_text("real/a.png\treal\nGAN/a.png\tGAN\n")
    Path("data/images/test.txt").write_text("real/b.png\treal\nGAN/b.png\tGAN\n")
    done = CliRunner().invoke(app, ["images", "--workers", "0"])
    assert done.exit_code == 0, done.output
    rows = select(["shards/images"])
    splits = dict(zip(rows.strings("key"), rows.strings("split"), strict=True))
    assert splits == {key: "train" if "/a/" in key else "test" for key in files}
    assert sorted(rows.column("size").tolist()) == sorted(map(len, files.values()))
    assert {(20, 28), (50, 58)} < set(zip(rows.column("height").tolist(), rows.column("width").tolist(), strict=True))
