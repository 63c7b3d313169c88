from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dataengine.video import Pixels
from tests.dataengine.made import jpeg, picture
from trainers.inference.answer import FrameScores, answer
from trainers.inference.listing import MediaFile
from trainers.inference.media import NO_FACE, FileAnswer, FrameAnswer
from trainers.inference.timeline import draw_timeline
from trainers.taxonomy import Taxonomy

DETECTION = Taxonomy(task="detection", classes=("real", "fake"))
MANY = Taxonomy(task="attribution", classes=("real", *(f"method {n} with a long name" for n in range(11))))


def answered(taxonomy: Taxonomy, *, absent: tuple[int, ...] = (), count: int = 12, timed: bool = True) -> FileAnswer:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(len(taxonomy.classes)), count)
    frames = tuple(
        FrameAnswer(
            index=10 * i,
            time_s=0.4 * i if timed else None,
            box=None,
            p=None if i in absent else tuple(p[i].tolist()),
            image=b"" if i in absent else jpeg(picture(i)),
        )
        for i in range(count)
    )
    kept = [i for i in range(count) if i not in absent]
    scores = FrameScores(p=p[kept], energy=np.zeros(len(kept)))
    found = answer(scores, taxonomy.classes, None) if kept else None
    file = MediaFile(Path("a $1.mp4"), Path("a $1.mp4"), "video")
    return FileAnswer(
        file=file, status="ok" if kept else "no face", reason="" if kept else NO_FACE, answer=found, frames=frames
    )


def drawn(found: FileAnswer, taxonomy: Taxonomy, path: Path) -> Pixels:
    draw_timeline(found, taxonomy, path, run="small")
    return np.asarray(cv2.imread(str(path)), np.uint8)


@pytest.mark.parametrize("taxonomy", [DETECTION, MANY])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_any_number_of_frames_and_classes_gives_a_picture(taxonomy: Taxonomy, count: int, tmp_path: Path) -> None:
    picture = drawn(answered(taxonomy, count=count, timed=count > 1), taxonomy, tmp_path / "t.png")
    assert picture.shape == (720, 1440, 3)
    assert [file.name for file in tmp_path.iterdir()] == ["t.png"]


def test_frames_without_a_face_are_marked(tmp_path: Path) -> None:
    whole = drawn(answered(DETECTION), DETECTION, tmp_path / "whole.png")
    gap = drawn(answered(DETECTION, absent=(5, 6)), DETECTION, tmp_path / "gap.png")
    changed = np.abs(whole.astype(int) - gap).max(axis=2).max(axis=0) > 8
    columns = np.flatnonzero(changed[150:1100])
    assert len(columns) > 50


def test_a_video_without_any_face_is_drawn_as_one(tmp_path: Path) -> None:
    assert drawn(answered(DETECTION, absent=tuple(range(12))), DETECTION, tmp_path / "none.png").std() > 1


def test_the_same_answer_gives_the_same_picture(tmp_path: Path) -> None:
    draw_timeline(answered(MANY), MANY, tmp_path / "a.png", run="small")
    draw_timeline(answered(MANY), MANY, tmp_path / "b.png", run="small")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
