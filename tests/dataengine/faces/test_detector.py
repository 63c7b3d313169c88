from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from dataengine.errors import DfxError
from dataengine.faces.detector import load_detector, weights_sha256
from dataengine.faces.pinned import pin
from dataengine.faces.search import Search
from tests.dataengine.faces.drawn import portrait

OWN = "tests.dataengine.faces.own_detector"


def test_mtcnn_gives_the_landmarks_where_they_are_drawn() -> None:
    (face,) = load_detector("mtcnn", None, 40)(portrait(640, 360, (320, 180, 80)))
    assert face.landmarks is not None
    eyes, mouth = 180 - 0.18 * 80, 180 + 0.52 * 80
    drawn = ((294, eyes), (346, eyes), (320, 192), (296, mouth), (344, mouth))
    assert np.abs(np.subtract(face.landmarks, drawn)).max() < 8


def test_a_detector_is_constructed_once_a_process() -> None:
    assert load_detector("mtcnn", None, 40) is load_detector("mtcnn", None, 40)


def test_a_class_of_ones_own_is_used_by_its_import_path(tmp_path: Path) -> None:
    frame = np.zeros((720, 1280, 3), np.uint8)
    (face,) = Search(detector=load_detector(f"{OWN}:Middle", None, 40)).whole(frame)
    assert (face.box, face.score) == ((320, 180, 960, 540), 0.5)
    weights = tmp_path / "weights.txt"
    weights.write_text("0.75")
    (face,) = Search(detector=load_detector(f"{OWN}:Middle", pin(weights), 40)).whole(frame)
    assert face.score == 0.75


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mtcn", "unknown detector 'mtcn'; did you mean mtcnn"),
        ("nowhere:Class", "cannot be imported .*nowhere"),
        (f"{OWN}:Missing", "cannot be imported .*Missing"),
        (f"{OWN}:Broken", "cannot be constructed .no licence key"),
        (f"{OWN}:NoDetector", "needs a bool `landmarks`"),
    ],
)
def test_what_is_no_detector_is_refused_with_one_line(name: str, told: str) -> None:
    with pytest.raises(DfxError, match=told) as error:
        load_detector(name, None, 40)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("Failing", r"failed at .*own_detector.py:\d+ \(RuntimeError: out of memory\); mend it"),
        ("Bare", "gave a tuple; let it give Face of dataengine.faces"),
    ],
)
def test_a_class_of_ones_own_that_fails_at_an_image_is_one_line(kind: str, told: str) -> None:
    with pytest.raises(DfxError, match=told) as error:
        load_detector(f"{OWN}:{kind}", None, 40)(np.zeros((40, 40, 3), np.uint8))
    assert "\n" not in str(error.value)


def test_weights_are_known_by_their_sha256(tmp_path: Path) -> None:
    weights = tmp_path / "weights.txt"
    weights.write_text("0.75")
    assert weights_sha256(f"{OWN}:Middle", pin(weights)) == hashlib.sha256(b"0.75").hexdigest()
    assert weights_sha256(f"{OWN}:Middle", None) is None
    assert len({weights_sha256(name, None) for name in ("mtcnn", "yunet", "none")}) == 3
