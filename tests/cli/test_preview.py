"""`dfx preview`."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
import typer
from typer.testing import CliRunner

from cli.preview import preview
from dataengine.errors import DfxError
from dataengine.store import Store

app = typer.Typer()
app.command()(preview)


@pytest.mark.parametrize("augment", ["forensic", "robustness:jpeg:5", "mine.toml"])
def test_preview_writes_a_picture_with_a_row_a_sample(mini_store: Store, tmp_path: Path, augment: str) -> None:
    if augment.endswith(".toml"):
        augment = str(tmp_path / augment)
        Path(augment).write_text("blur = 1.0\n")
    heights = []
    for images in (1, 3):
        out = tmp_path / f"{images}.png"
        command = [str(mini_store.root), "--augment", augment, "--images", str(images), "--draws", "2", "--size", "32"]
        done = CliRunner().invoke(app, [*command, "--out", str(out)])
        assert done.exit_code == 0, done.output
        assert str(out) in done.output.replace("\n", "")
        heights.append(cv2.imread(str(out)).shape[0])
    assert heights[1] > 2 * heights[0]


def test_preview_shows_methods_and_clips(mini_store: Store, tmp_path: Path) -> None:
    clip = mini_store.clips()["clip"][0].as_py()
    for told, more in (("6 samples of 3 methods", ["--images", "2"]), (f"3 frames of {clip}", ["--clip", clip])):
        out = tmp_path / "sheet.png"
        done = CliRunner().invoke(app, [str(mini_store.root), *more, "--out", str(out)])
        assert done.exit_code == 0, done.output
        assert told in done.output.replace("\n", "")
        assert cv2.imread(str(out)) is not None
        out.unlink()


@pytest.mark.parametrize(
    "wrong",
    [
        ["--augment", "forensics"],
        ["--images", "0"],
        ["--augment", "flip", "--images", "0"],
        ["--augment", "flip", "--draws", "0"],
        ["--draws", "2"],
        ["--clip", "none/such"],
        ["--clip", "a", "--augment", "flip"],
    ],
)
def test_preview_refuses_what_cannot_be_shown(mini_store: Store, tmp_path: Path, wrong: list[str]) -> None:
    done = CliRunner().invoke(app, [str(mini_store.root), *wrong, "--out", str(tmp_path / "p.png")])
    assert isinstance(done.exception, DfxError)
    assert not (tmp_path / "p.png").exists()


@pytest.mark.parametrize(("name", "told"), [("p.gif", ".png, .svg, .pdf"), ("gone/p.png", "gone is no folder")])
def test_a_picture_that_cannot_be_written_is_said_before_the_work(tmp_path: Path, name: str, told: str) -> None:
    done = CliRunner().invoke(app, ["no store", "--out", str(tmp_path / name)])
    assert isinstance(done.exception, DfxError)
    assert told in str(done.exception)
