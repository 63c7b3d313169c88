"""Who is in a clip and how it was filmed: faces, light, camera and motion, drawn from seeds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Colour = tuple[float, float, float]
"""Red, green, blue in [0, 1]."""

SKIN: tuple[Colour, ...] = (
    (0.97, 0.83, 0.74),
    (0.93, 0.76, 0.63),
    (0.87, 0.67, 0.52),
    (0.76, 0.55, 0.39),
    (0.61, 0.41, 0.28),
    (0.45, 0.30, 0.21),
)
HAIR: tuple[Colour, ...] = (
    (0.10, 0.08, 0.08),
    (0.20, 0.13, 0.09),
    (0.34, 0.22, 0.13),
    (0.46, 0.23, 0.11),
    (0.70, 0.54, 0.32),
    (0.56, 0.55, 0.54),
)
IRIS: tuple[Colour, ...] = (
    (0.26, 0.15, 0.08),
    (0.40, 0.25, 0.12),
    (0.36, 0.38, 0.20),
    (0.30, 0.44, 0.58),
    (0.42, 0.48, 0.52),
)


def generator(*words: str | int) -> np.random.Generator:
    """A random generator that depends on its words alone: not on the process, the order of calls or the machine."""
    digest = hashlib.blake2b("\x1f".join(map(str, words)).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """The geometry and colours of one identity.

    Lengths are in face units: the head is about 1.6 wide, the crown lies near v = -1.15 and the chin near
    v = 1.1, with u to the right, v down and the origin between the eyes.
    """

    width: float
    crown: float
    chin: float
    taper: float
    square: float
    eye_x: float
    eye_y: float
    eye_w: float
    eye_h: float
    eye_tilt: float
    brow_y: float
    brow_arch: float
    brow_thick: float
    nose_y: float
    nose_w: float
    nose_ridge: float
    mouth_y: float
    mouth_w: float
    lip_upper: float
    lip_lower: float
    cheek: float
    skin: Colour
    blush: float
    freckles: float
    lip: Colour
    iris: Colour
    hair: Colour
    hairline: float
    hair_volume: float
    hair_end: float
    part: float
    beard: float
    cloth: Colour
    grain: int
    """Seed of skin and hair texture."""


def draw_face(*words: str | int) -> Face:
    """The identity named by `words`."""
    rng = generator("face", *words)

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def colour(value: npt.NDArray[np.float64]) -> Colour:
        r, g, b = np.clip(value, 0.02, 1.0)
        return float(r), float(g), float(b)

    tone = between(0, len(SKIN) - 1.001)
    k = int(tone)
    skin = np.array(SKIN[k]) * (1 - tone + k) + np.array(SKIN[k + 1]) * (tone - k) + rng.normal(0, 0.012, 3)
    hair = np.array(HAIR[rng.choice(len(HAIR), p=(0.26, 0.24, 0.2, 0.1, 0.12, 0.08))]) * between(0.85, 1.15)
    long_hair = rng.random() < 0.45
    rosy = between(0.0, 1.0)
    lip = skin * np.array([0.86, 0.62, 0.62]) * (1 - 0.15 * rosy) + np.array([0.12, 0.0, 0.02]) * rosy
    return Face(
        width=between(0.74, 0.86),
        crown=between(1.08, 1.2),
        chin=between(1.02, 1.16),
        taper=between(0.06, 0.24),
        square=between(2.2, 3.0),
        eye_x=between(0.315, 0.37),
        eye_y=between(-0.07, 0.0),
        eye_w=between(0.15, 0.185),
        eye_h=between(0.07, 0.1),
        eye_tilt=between(-0.02, 0.16),
        brow_y=between(-0.27, -0.2),
        brow_arch=between(0.02, 0.07),
        brow_thick=between(0.026, 0.055),
        nose_y=between(0.28, 0.38),
        nose_w=between(0.1, 0.16),
        nose_ridge=between(0.09, 0.15),
        mouth_y=between(0.6, 0.68),
        mouth_w=between(0.22, 0.31),
        lip_upper=between(0.035, 0.065),
        lip_lower=between(0.055, 0.095),
        cheek=between(0.02, 0.09),
        skin=colour(skin),
        blush=between(0.1, 0.8),
        freckles=between(0.2, 1.0),
        lip=colour(lip),
        iris=colour(np.array(IRIS[rng.integers(len(IRIS))]) * between(0.8, 1.2)),
        hair=colour(hair),
        hairline=between(-0.82, -0.62),
        hair_volume=between(1.1, 1.2) if long_hair else between(1.04, 1.11),
        hair_end=between(0.5, 1.3) if long_hair else between(-0.2, 0.15),
        part=between(-0.25, 0.25),
        beard=0.0 if long_hair or rng.random() < 0.45 else between(0.15, 0.75),
        cloth=colour(0.5 * rng.uniform(0.05, 0.8, 3) + 0.5 * between(0.05, 0.7)),
        grain=int(rng.integers(2**31)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """A key light from (x, y, z) towards the face (x right, y down, z to the camera) over an ambient one."""

    x: float
    y: float
    z: float
    key: float
    ambient: float
    warmth: float
    """Above 0 the key light is reddish, below it bluish."""


def draw_light(rng: np.random.Generator) -> Light:
    """Light as rooms and studios have it: from above, from either side."""
    x, y, z = rng.uniform(-0.75, 0.75), rng.uniform(-0.7, -0.15), rng.uniform(0.75, 1.1)
    length = float(np.sqrt(x * x + y * y + z * z))
    return Light(
        x=float(x) / length,
        y=float(y) / length,
        z=float(z) / length,
        key=float(rng.uniform(0.62, 0.85)),
        ambient=float(rng.uniform(0.28, 0.42)),
        warmth=float(rng.uniform(-0.06, 0.08)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What a dataset's clips have in common."""

    size: tuple[int, int]
    """Default frame size: width, height."""
    noise: tuple[float, float]
    """Range of the standard deviation of sensor noise, in levels of 255."""
    blur: tuple[float, float]
    """Range of lens blur (Gaussian sigma) in thousandths of the frame's shorter side."""
    gamma: tuple[float, float]
    tint: float
    """Spread of the white balance."""
    head: tuple[float, float]
    """Range of the head's height (crown to chin) as a share of the frame's shorter side."""
    motion: float
    """How much heads move, 1 for a calm speaker."""
    backdrop: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Motion:
    """What a head does over a clip: arrays of float32 with one entry a frame."""

    x: F32
    """Translation in face units; `y` likewise, down."""
    y: F32
    scale: F32
    roll: F32
    """Radians; yaw (to the right) and pitch (down) likewise."""
    yaw: F32
    pitch: F32
    jaw: F32
    """How far the mouth is open, in [0, 1]."""
    smile: F32
    """In [-1, 1]."""
    brow: F32
    """How far the brows are raised, in [-1, 1]."""
    gaze: F32
    lid: F32
    """How far the eyes are closed, in [0, 1]."""
    shake: F32
    """Camera translation, (frames, 2), in face units."""


def draw_motion(rng: np.random.Generator, frames: int, fps: int, amount: float) -> Motion:
    """A speaking head: slow drift, syllables in phrases, blinks every few seconds."""
    t = np.arange(frames) / fps

    def drift(size: float, slow: float, fast: float) -> npt.NDArray[np.float64]:
        hz = rng.uniform(slow, fast, 4)
        phase = rng.uniform(0, 2 * np.pi, 4)
        weight = rng.uniform(0.4, 1.0, 4) / np.sqrt(np.arange(1, 5))
        waves: npt.NDArray[np.float64] = (np.sin(2 * np.pi * t[:, None] * hz + phase) * weight).sum(1)
        return waves * size / 1.4

    def narrow(values: npt.NDArray[np.float64]) -> F32:
        return values.astype(np.float32)

    syllable = np.abs(np.sin(np.pi * t * rng.uniform(2.2, 3.4) + drift(1.2, 0.3, 0.9)))
    talking = 1 / (1 + np.exp(-6 * (drift(0.6, 0.15, 0.5) + rng.uniform(0.0, 0.5))))
    lid = np.zeros(frames)
    at = rng.uniform(0.1, 1.6)
    while at < frames / fps:
        lid = np.maximum(lid, np.clip(1.25 - np.abs(t - at) / 0.1, 0, 1))
        at += rng.uniform(0.9, 3.5)
    return Motion(
        x=narrow(drift(0.12 * amount, 0.1, 0.5)),
        y=narrow(drift(0.06 * amount, 0.1, 0.6)),
        scale=narrow(np.exp(drift(0.035 * amount, 0.08, 0.3))),
        roll=narrow(drift(0.06 * amount, 0.1, 0.45)),
        yaw=narrow(drift(0.2 * amount, 0.1, 0.45) + rng.uniform(-0.15, 0.15)),
        pitch=narrow(drift(0.1 * amount, 0.1, 0.6)),
        jaw=narrow(np.clip(syllable * talking * rng.uniform(0.6, 1.0) + drift(0.05, 2, 5), 0, 1)),
        smile=narrow(np.clip(drift(0.5, 0.1, 0.4) + rng.uniform(-0.2, 0.5), -1, 1)),
        brow=narrow(np.clip(drift(0.6, 0.2, 0.7), -1, 1)),
        gaze=narrow(np.clip(drift(0.7, 0.15, 0.6), -1, 1)),
        lid=narrow(lid),
        shake=narrow(np.stack([drift(0.012 * amount, 0.3, 2.0), drift(0.012 * amount, 0.3, 2.0)], 1)),
    )
