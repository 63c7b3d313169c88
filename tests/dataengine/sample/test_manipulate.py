"""What manipulations do to pixels: their family's traces in the face, and nothing anywhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dataengine.faces.detector import load_detector
from dataengine.sample.footage import Footage, Take, draw_take, film, render
from dataengine.sample.identity import draw_face, generator
from dataengine.sample.manipulate import MANIPULATIONS
from dataengine.sample.portrait import outline, paint_head, relief, rows_between
from dataengine.sample.styles import STYLES

SIZE, FRAMES = (320, 240), 8


def take(style: str, identity: int) -> Take:
    return draw_take(draw_face(style, identity), STYLES[style], SIZE, FRAMES, generator("take", style, identity))


def footage(style: str, identity: int) -> Footage:
    return film(take(style, identity), STYLES[style], generator("scene", style, identity))


@pytest.fixture(scope="module")
def frames() -> dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """For each method, over four pairs: a recorded frame, what becomes of it, and u, v of its pixels."""
    shown: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {method: [] for method in MANIPULATIONS}
    y, x = np.indices((SIZE[1], SIZE[0]), np.float32)
    for identity in range(0, 8, 2):
        target, source = footage("ff++", identity), take("ff++", identity + 1)
        recorded = render(target, 5)
        there = cv2.invertAffineTransform(target.take.matrix(5))
        where = np.dstack([x, y, np.ones_like(x)]) @ there.T
        for method, manipulation in MANIPULATIONS.items():
            made = manipulation(target, source, generator(method, identity))(recorded.copy(), 5)
            shown[method].append((recorded, made, where))
    return shown


def sharpness(frame: np.ndarray, mask: np.ndarray) -> float:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(cv2.Laplacian(grey, cv2.CV_32F)[mask].std())


@pytest.mark.parametrize("method", sorted(MANIPULATIONS))
def test_a_manipulation_changes_the_face_and_no_pixel_far_from_it(method: str, frames: dict) -> None:
    for recorded, made, where in frames[method]:
        change = np.abs(made.astype(int) - recorded).max(2)
        distance = np.hypot(where[..., 0], where[..., 1] - 0.1)
        assert made.shape == recorded.shape
        assert made.dtype == np.uint8
        assert change[distance > 1.6].max() == 0
        assert change[distance < 0.8].mean() > 2


@pytest.mark.parametrize("method", ["Deepfakes", "Celeb-synthesis"])
def test_a_low_resolution_face_is_softer_than_the_recorded_one(method: str, frames: dict) -> None:
    ratio = []
    for recorded, made, where in frames[method]:
        inner = (np.abs(where[..., 0]) < 0.45) & (np.abs(where[..., 1] - 0.3) < 0.5)
        ratio.append(sharpness(made, inner) / sharpness(recorded, inner))
    assert np.mean(ratio) < 0.85


def test_faceshifter_leaves_a_sharper_face_than_deepfakes(frames: dict) -> None:
    for (_, soft, where), (_, crisp, _) in zip(frames["Deepfakes"], frames["FaceShifter"], strict=True):
        inner = (np.abs(where[..., 0]) < 0.45) & (np.abs(where[..., 1] - 0.3) < 0.5)
        assert sharpness(crisp, inner) > sharpness(soft, inner)


def test_neural_textures_touch_the_mouth_region_alone(frames: dict) -> None:
    for recorded, made, where in frames["NeuralTextures"]:
        change = np.abs(made.astype(int) - recorded).max(2)
        assert change[where[..., 1] < 0.0].max() == 0
        assert change[np.hypot(where[..., 0], where[..., 1] - 0.64) < 0.2].mean() > 3


def test_face2face_leaves_the_eyes_and_deepfakes_do_not(frames: dict) -> None:
    changed: dict[str, list[float]] = {"Face2Face": [], "Deepfakes": []}
    for case, identity in enumerate(range(0, 8, 2)):
        clip = take("ff++", identity)
        face, look = clip.face, clip.look(5)
        for side in (-1, 1):
            u, v = np.full((1, 1), side * face.eye_x, np.float32), np.full((1, 1), face.eye_y, np.float32)
            height = float(relief(face, u, v, outline(face, u, v))[0, 0])
            at = (side * face.eye_x + look.yaw * height, face.eye_y + look.pitch * height)
            for method, values in changed.items():
                recorded, made, where = frames[method][case]
                iris = np.hypot(where[..., 0] - at[0], where[..., 1] - at[1]) < 0.06
                values.append(np.abs(made.astype(int) - recorded)[iris].mean())
    assert np.mean(changed["Face2Face"]) < 0.2 * np.mean(changed["Deepfakes"])


def test_the_methods_leave_different_pixels(frames: dict) -> None:
    for case in range(4):
        made = [frames[method][case][1].astype(int) for method in MANIPULATIONS]
        apart = [np.abs(a - b).mean() for i, a in enumerate(made) for b in made[:i]]
        assert min(apart) > 0.15


def test_some_rows_of_a_head_are_painted_as_in_the_whole() -> None:
    clip = take("ff++", 3)
    rows = rows_between(40, 0.4, 1.2)
    whole = paint_head(clip.face, clip.light, 40, jaw=0.5, lid=0.3)
    assert np.array_equal(paint_head(clip.face, clip.light, 40, jaw=0.5, lid=0.3, rows=rows), whole[rows])


@pytest.mark.parametrize("style", sorted(STYLES))
def test_the_default_detector_finds_the_face(style: str) -> None:
    pictures = [render(footage(style, identity), frame) for identity in range(6) for frame in (0, 4)]
    detect = load_detector("mtcnn", None, 40)
    found = [any(face.area > 40 * 40 for face in detect(picture)) for picture in pictures]
    assert np.mean(found) >= 0.95
