"""`dfx predict` on the terminal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest
import typer
from typer.testing import CliRunner, Result

from cli.predict import predict
from dataengine.errors import DfxError
from tests.trainers.made_media import Made, frames_of, make, wall, write_video

app = typer.Typer()
app.command()(predict)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("predict"), task="detection")


@pytest.fixture
def here(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with `in`, a folder of two videos with a face."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    shutil.copy(made.videos[0], tmp_path / "in" / "a.mp4")
    shutil.copy(made.videos[1], tmp_path / "in" / "sub" / "b-with-a-name-that-is-longer-than-any-line-has-room-for.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(made: Made, *words: str) -> Result:
    return CliRunner().invoke(app, [str(made.run.path), *words, "--device", "cpu"])


def test_each_video_gets_a_line_a_picture_and_its_numbers(made: Made, here: Path) -> None:
    done = run(made, "in", "--json", "all.json")
    assert done.exit_code == 0, done.output
    rows = [line for line in done.output.splitlines() if line.endswith(" frames")]
    assert [row.split()[-2:] for row in rows] == [["5", "frames"]] * 2
    assert len({line.index("5 frames") for line in rows}) == 1
    assert max(map(len, rows)) < 80
    out = here / "predictions-small"
    assert (out / "a.mp4.png").read_bytes().startswith(b"\x89PNG")
    alone = json.loads((out / "a.mp4.json").read_text())
    first, second = json.loads((here / "all.json").read_text())["files"]
    assert {**alone, "timeline": "predictions-small/a.mp4.png"} == first
    assert second["timeline"].startswith("predictions-small/sub/b-with")
    assert first["verdict"] in ("real", "fake")


def test_what_holds_no_face_is_said_plainly_and_is_no_failure(made: Made, here: Path) -> None:
    write_video(here / "wall.mp4", [wall(frames_of(made.videos[0])[0])] * 8)
    done = run(made, "wall.mp4")
    assert done.exit_code == 0, done.output
    assert "no face found" in done.output


def test_files_that_cannot_be_read_are_named_and_the_rest_goes_on(made: Made, here: Path) -> None:
    (here / "in" / "0.mp4").write_bytes(b"junk" * 50)
    (here / "in" / "notes.txt").touch()
    done = run(made, "in", "gone.jpg", "--json", "all.json")
    assert done.exit_code == 1
    assert "cannot be read: 2" in done.output
    assert "gone.jpg: no such file" in done.output
    assert "in/0.mp4: not a video" in done.output
    assert "passed over, neither images nor videos by their names: 1 .txt" in done.output
    found = json.loads((here / "all.json").read_text())
    assert [one["status"] for one in found["files"]] == ["failed", "ok", "ok"]
    assert found["refused"] == {"gone.jpg": "no such file"}
    assert found["passed_over"] == {".txt": 1}


def test_unknown_is_an_answer_where_a_threshold_is_given_and_else_never(made: Made, here: Path) -> None:
    never = run(made, "in/a.mp4")
    assert "'unknown': never answered" in never.output
    done = run(made, "in/a.mp4", "--unknown-above", "0", "--json", "all.json")
    assert "'unknown': where max_softmax is above 0 (--unknown-above)" in done.output
    (found,) = json.loads((here / "all.json").read_text())["files"]
    assert found["verdict"] == "unknown"
    assert found["nearest"] in ("real", "fake")


def test_images_alone_leave_no_folder_behind(made: Made, here: Path) -> None:
    cv2.imwrite(str(here / "x.png"), frames_of(made.videos[0])[0][..., ::-1])
    done = run(made, "x.png", "--faces", "none")
    assert done.exit_code == 0, done.output
    assert "whole images" in done.output
    assert sorted(path.name for path in here.iterdir()) == ["in", "x.png"]


def test_only_a_folder_of_the_same_run_is_written_into(made: Made, here: Path) -> None:
    for _ in range(2):
        assert run(made, "in/a.mp4", "--out", "mine").exit_code == 0
    other = shutil.copytree(made.run.path, here / "other")
    taken = CliRunner().invoke(app, [str(other), "in", "--out", "mine", "--device", "cpu"])
    assert "holds timelines of the run" in str(taken.exception)
    foreign = run(made, "in", "--out", "in")
    assert isinstance(foreign.exception, DfxError)
    assert "in is not empty and holds no timelines of dfx; choose another --out" in str(foreign.exception)


def test_two_videos_of_one_name_get_a_timeline_each(made: Made, here: Path) -> None:
    (here / "more").mkdir()
    shutil.copy(made.videos[1], here / "more" / "a.mp4")
    assert run(made, "in/a.mp4", "more/a.mp4", "--out", "mine").exit_code == 0
    assert sorted(path.name for path in (here / "mine").glob("*.png")) == ["a.mp4-2.png", "a.mp4.png"]


def test_a_folder_without_media_is_one_line(made: Made, here: Path) -> None:
    (here / "empty").mkdir()
    assert "no image or video in empty" in str(run(made, "empty").exception)
